"""``python -m tests.benchmarks``: run the suites, keep a result file, show the table."""

from __future__ import annotations

import compileall
import shutil
from pathlib import Path

import click
import msgspec

from . import data
from .documents import ROOT, show
from .harness import Harness
from .results import Result, Row, amount, machine, merged
from .suites import SUITES

_BENCH = ROOT / ".bench"
_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--scale", default=1.0, show_default=True, help="Part of the full data to use.")
@click.option("--samples", type=int, help="Runs of each row, instead of five, and three of the long.")
@click.option(
    "--only", type=click.Choice(sorted(SUITES)), multiple=True, help="Suites to run, instead of all."
)
@click.option("--work", default=_BENCH / "work", type=_PATH, help="Scratch space, emptied before and after.")
@click.option(
    "--result", default=_BENCH / "benchmarks.json", type=_PATH, help="The result file; --only renews a part."
)
def main(scale: float, samples: int | None, only: tuple[str, ...], work: Path, result: Path) -> None:
    """Measure the store and its peers on the same data."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for package in ("jupyter_dvmount", "fuse"):
        compileall.compile_dir(ROOT / package, quiet=1)  # as pip does where users install it
    harness = Harness(work, scale=scale, samples=samples, report=_report)
    try:
        for name in only or SUITES:
            SUITES[name].run(harness)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    measured = Result(machine(), harness.versions, scale, data.DESCRIPTIONS, harness.rows)
    if only and result.exists():
        measured = merged(msgspec.json.decode(result.read_bytes(), type=Result), measured)
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=1) + b"\n")
    click.echo(show(measured))


def _report(row: Row) -> None:
    value = amount(row.value, row.unit) if row.samples else row.note
    click.echo(f"{row.work}: {row.peer} {value}", err=True)


if __name__ == "__main__":
    main()
