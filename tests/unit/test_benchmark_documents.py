"""The tables in the documents are those of the result files that are kept beside them."""

from __future__ import annotations

import msgspec
import pytest

from tests.benchmarks.documents import RESULT, ROOT, SCALE_RESULT, filled, show, show_scale
from tests.benchmarks.results import Result

SHOWN = [
    ("README.md", "benchmarks", RESULT, show),
    ("docs/benchmarks.md", "benchmarks", RESULT, show),
    ("docs/benchmarks.md", "scale", SCALE_RESULT, show_scale),
]


@pytest.mark.parametrize(("name", "mark", "result", "shown"), SHOWN)
def test_a_document_shows_what_was_measured(name, mark, result, shown) -> None:  # type: ignore[no-untyped-def]
    document = (ROOT / name).read_text(encoding="utf-8")
    text = shown(msgspec.json.decode(result.read_bytes(), type=Result))
    assert filled(document, mark, text) == document, "run: python -m tests.benchmarks.documents"
