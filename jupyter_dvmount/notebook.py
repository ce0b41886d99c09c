"""What a notebook or a script needs: mount a commit, read its files with ``open()``.

>>> import jupyter_dvmount as dvm
>>> images = dvm.mount("images@master")
>>> (images / "animals" / "cat.png").open("rb").read()
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, wraps
from pathlib import Path
from shlex import split
from typing import TYPE_CHECKING

from typing_extensions import ParamSpec, TypeVar

from .config import load_config
from .mounting.model import Mount, Unmounted
from .store import DEFAULT_BRANCH, Invalid, StoreError, VersionStore, parse
from .store import open_store as open_url

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .mounting.manager import MountManager

P = ParamSpec("P")
T = TypeVar("T")


def _short(function: Callable[P, T]) -> Callable[P, T]:
    """Let errors show what failed and what to do, and not the way through this package."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except StoreError as error:
            if error.fix:
                error.args = (f"{error.message}; {error.fix}",)
            raise error.with_traceback(None) from None

    return call


@_short
def open_store(url: str | None = None) -> VersionStore:
    """Open the version store.

    Parameters
    ----------
    url
        Where it is, or its name in the configuration file; by default as everywhere: ``DVMOUNT_STORE``,
        the configuration file, the embedded store of this user.

    Returns
    -------
    VersionStore
        To be closed, or used in a ``with`` statement.

    Raises
    ------
    StoreError
        If it cannot be opened.
    """
    return open_url(load_config(store=url).store)


@_short
def mount(location: str, name: str | os.PathLike[str] | None = None, follow: bool = False) -> Path:
    """Make the files of a commit ordinary, read-only local files.

    Mounting what is mounted already returns the same path, so a cell may be run again.

    Parameters
    ----------
    location
        ``repo@branch``, ``repo@commit`` or ``repo`` for its default branch.
    name
        Its name in the mount root, or, with a slash in it, the path itself. By default the repository's.
    follow
        Move to the branch's new commits as they are made. By default the mount stays at its commit.

    Returns
    -------
    Path
        The directory. Its ``resolve()`` names the exact commit.

    Raises
    ------
    StoreError
        If there is no such commit or the name is taken.
    """
    place = parse(location)
    if place.path != "/":
        raise Invalid(
            f"{location!r} names a path",
            fix=f"mount {place.repo}@{place.ref or DEFAULT_BRANCH}, which is cheap",
        )
    text = None if name is None else os.fspath(name)
    directory = Path(os.path.abspath(text)) if text and "/" in text else None  # noqa: PTH100 - not a link's target
    with _manager() as manager:
        made = manager.mount(
            place.repo,
            place.ref or DEFAULT_BRANCH,
            name=None if directory else text,
            directory=directory,
            follow=follow,
        )
    return Path(made.path)


@_short
def unmount(name: str | os.PathLike[str]) -> Unmounted:
    """Take a mount away.

    Parameters
    ----------
    name
        The mount's name, or the path that `mount` returned.

    Returns
    -------
    Unmounted
        With the processes that still have files of it open; they can go on reading.

    Raises
    ------
    StoreError
        If nothing of that name is mounted.
    """
    text = os.fspath(name)
    with _manager() as manager:
        return manager.unmount(os.path.abspath(text) if "/" in text else text)  # noqa: PTH100


@_short
def mounts() -> list[Mount]:
    """List what is mounted.

    Returns
    -------
    list of Mount
        Each with its name, path, repo, branch and commit, and whether its branch has moved.
    """
    with _manager() as manager:
        return manager.list()


@contextmanager
def _manager() -> Iterator[MountManager]:
    from .mounting.lazy import lazy_manager

    config = load_config()
    with ExitStack() as stack:
        opener = cache(lambda: stack.enter_context(open_url(config.store, create=False)))
        yield lazy_manager(config, opener)


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Add the line magic ``%dvmount``: ``%load_ext jupyter_dvmount``, then ``%dvmount list repo``."""
    ipython.register_magic_function(_magic, "line", "dvmount")  # type: ignore[arg-type]  # decorated there


def _magic(line: str) -> None:
    """Run the command ``dvmount`` with these arguments and show what it prints."""
    try:
        arguments = split(line)
    except ValueError as error:
        sys.stdout.write(f"error: {error}\n")
        return
    environment = {"DVMOUNT_OUTPUT": "table", "PYTHONUNBUFFERED": "1", **os.environ}
    with subprocess.Popen(
        [sys.executable, "-m", "jupyter_dvmount.cli", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for text in process.stdout:
            sys.stdout.write(text)
