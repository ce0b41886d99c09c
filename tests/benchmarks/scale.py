"""A million small files through the whole product: ``python -m tests.benchmarks.scale``.

It prints a table and writes ``docs/scale.json``. It needs 8 GB of disk and FUSE, and takes some ten minutes.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import click
import msgspec

from . import data
from .documents import ROOT, SCALE_RESULT
from .harness import Command, timed
from .mounters import DvmountMount
from .results import OURS, Result, Row, Sample, amount, machine, steps

SIZE = 2 << 10
"""Bytes of a file."""
_PATH = click.Path(path_type=Path)


class _Run:
    """Commands on one store, and what they took.

    Parameters
    ----------
    mount
        The store and its mount.
    """

    def __init__(self, mount: DvmountMount) -> None:
        self.rows: list[Row] = []
        self.mount = mount

    def step(self, what: str, *words: str | Path) -> None:
        """Time one of our commands."""
        os.sync()
        self.keep(what, timed(self.mount.peer.command(*words)))

    def keep(self, what: str, sample: Sample) -> None:
        """Keep what a step took."""
        self.rows.append(Row(what, OURS, "s", [sample]))
        memory = "" if sample.rss is None else f", {amount(sample.rss, 'B')}"
        click.echo(f"{what}: {amount(sample.value, 's')}{memory}", err=True)


@click.command()
@click.option("--files", default=1_000_000, show_default=True, help="How many files.")
@click.option("--work", default=ROOT / ".bench" / "scale", type=_PATH, help="Scratch space, emptied first.")
@click.option("--result", default=SCALE_RESULT, type=_PATH, help="The result file to write.")
def main(files: int, work: Path, result: Path) -> None:
    """Put, list, compare, mount and collect many small files."""
    shutil.rmtree(work, ignore_errors=True)
    source = work / "source"
    directories = _make(source, files)
    mount = DvmountMount(work / "dvmount")
    mount.peer.fresh(source)
    run = _Run(mount)
    _store(run, source, directories)
    _mount(run)
    _collect(run)
    described = {"files": f"{files:,} files of 2 KiB in {directories:,} directories"}
    measured = Result(machine(), {}, files / 1_000_000, described, run.rows)
    result.write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=1) + b"\n")
    click.echo(steps(measured.rows))
    shutil.rmtree(work)


def _make(source: Path, files: int) -> int:
    directories = max(1, files // data.IN_DIRECTORY)
    for number in range(directories):
        below = source / f"dir{number:04}"
        below.mkdir(parents=True)
        content = data.random_bytes(f"scale/{number}", SIZE * data.IN_DIRECTORY)
        for index in range(min(data.IN_DIRECTORY, files)):
            (below / f"file{index:04}.dat").write_bytes(content[SIZE * index : SIZE * (index + 1)])
    return directories


def _store(run: _Run, source: Path, directories: int) -> None:
    half = f"dir{directories // 2:04}"
    run.step("put all of them", "put", "file", "data@master:/", "-r", "-f", source)
    run.step("put them again, nothing changed", "put", "file", "data@master:/", "-r", "-f", source)
    changed = source.parent / "changed"
    changed.write_bytes(b"changed")
    run.step("put one changed file", "put", "file", f"data@master:/{half}/file0000.dat", "-f", changed)
    run.step("diff of that commit", "diff", "file", "data@master", "-o", "json")
    run.step("list a directory", "list", "file", f"data@master:/{half}", "-o", "json")
    run.step("list all files: glob **", "glob", "file", "data@master:/**", "-o", "json")
    run.step("fsck", "fsck")
    run.step("fsck --full", "fsck", "--full")


def _mount(run: _Run) -> None:
    start = time.perf_counter()
    place = run.mount.up()
    try:
        count = sum(1 for _ in place.iterdir())
        taken = time.perf_counter() - start
        run.keep(f"mount, until ls shows {count:,} directories", Sample(taken, rss=run.mount.rss()))
        for what, words in (
            ("find through the mount", ("find", f"{place}/", "-name", "*.none")),
            ("the same again", ("find", f"{place}/", "-name", "*.none")),
            ("du through the mount", ("du", "-s", f"{place}/")),
        ):
            taken = timed(Command(words)).value
            run.keep(what, Sample(taken, rss=run.mount.rss()))
    finally:
        run.mount.down()


def _collect(run: _Run) -> None:
    run.step("gc with nothing to free", "gc", "--grace", "0s")
    run.step("delete the repository", "delete", "repo", "data", "--force")
    run.step("gc of everything", "gc", "--grace", "0s")


if __name__ == "__main__":
    main()
