"""Puts the table of a result file into the documents: ``python -m tests.benchmarks.documents``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from .results import Result, steps, table
from .suites import goals

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "docs" / "benchmarks.json"
SCALE_RESULT = ROOT / "docs" / "scale.json"


def show(result: Result) -> str:
    """What goes into the documents: the table, and what it depends on."""
    versions = "; ".join(f"{name}: {version}" for name, version in result.versions.items())
    return f"{table(result.rows, goals())}\n\n{_machine(result)}. {versions}.\n"


def show_scale(result: Result) -> str:
    """The same of the run with a million files."""
    return f"{steps(result.rows)}\n\n{result.data['files']}; {_machine(result)}.\n"


def _machine(result: Result) -> str:
    return ", ".join(result.machine.values())


def filled(document: str, mark: str, shown: str) -> str:
    """The text of a document with ``shown`` between its marks."""
    start, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
    before, found, rest = document.partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the document has no {start.strip()} with an end")
    return f"{before}{start}{shown}{end}{after}"


class Shown(NamedTuple):
    """A table in a document: between which marks, of which result file, and how it is made."""

    document: str
    mark: str
    result: Path
    show: Callable[[Result], str]

    def text(self) -> str:
        """The whole document with the table as it should be."""
        shown = self.show(msgspec.json.decode(self.result.read_bytes(), type=Result))
        return filled((ROOT / self.document).read_text(encoding="utf-8"), self.mark, shown)


TABLES = (
    Shown("README.md", "benchmarks", RESULT, show),
    Shown("docs/benchmarks.md", "benchmarks", RESULT, show),
    Shown("docs/benchmarks.md", "scale", SCALE_RESULT, show_scale),
)


def write() -> None:
    """Fill the documents from the result files that are kept."""
    for each in TABLES:
        if each.result.exists():
            (ROOT / each.document).write_text(each.text(), encoding="utf-8")


if __name__ == "__main__":
    write()
