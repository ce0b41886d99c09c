"""A progress bar where a person watches, and nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from jupyter_dvmount.store import Progress


@contextmanager
def progress_bar(label: str, *, files: int | None = None, size: int | None = None) -> Iterator[Progress]:
    """Show how far an operation is.

    Parameters
    ----------
    label
        What is being done.
    files, size
        How many files and bytes there are to do, where that is known.

    Yields
    ------
    Progress
        To be called with (files, bytes) done so far.
    """
    if not sys.stderr.isatty():
        yield lambda files, size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    count = TextColumn("{task.fields[files]}" + (f"/{files}" if files else "") + " files")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        count,
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=size, files=0)
        yield lambda files, size: bar.update(task, completed=size, files=files)
