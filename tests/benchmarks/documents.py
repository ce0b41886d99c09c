"""Puts the table of a result file into the documents: ``python -m tests.benchmarks.documents``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from .results import Result, table
from .suites import goals

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "docs" / "benchmarks.json"
_DOCUMENTS = ("README.md", "docs/benchmarks.md")
_START, _END = "<!-- benchmarks -->\n", "<!-- /benchmarks -->"


def show(result: Result) -> str:
    """What goes into the documents: the table, and what it depends on."""
    facts = ", ".join(result.machine.values())
    versions = "; ".join(f"{name}: {version}" for name, version in result.versions.items())
    return f"{table(result.rows, goals())}\n\n{facts}. {versions}.\n"


def filled(document: str, shown: str) -> str:
    """The text of a document with ``shown`` between its marks."""
    before, start, rest = document.partition(_START)
    _, end, after = rest.partition(_END)
    if not start or not end:
        raise ValueError(f"the document has no {_START.strip()} with an end")
    return f"{before}{start}{shown}{end}{after}"


def write() -> None:
    """Fill the documents from the result file that is kept."""
    shown = show(msgspec.json.decode(RESULT.read_bytes(), type=Result))
    for name in _DOCUMENTS:
        path = ROOT / name
        path.write_text(filled(path.read_text(encoding="utf-8"), shown), encoding="utf-8")


if __name__ == "__main__":
    write()
