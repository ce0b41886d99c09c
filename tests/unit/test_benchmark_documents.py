"""The tables in the documents are those of the result files that are kept beside them."""

from __future__ import annotations

import pytest

from tests.benchmarks.documents import ROOT, TABLES, Shown


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"{table.document}-{table.mark}")
def test_a_document_shows_what_was_measured(table: Shown) -> None:
    document = (ROOT / table.document).read_text(encoding="utf-8")
    assert table.text() == document, "run: python -m tests.benchmarks.documents"
