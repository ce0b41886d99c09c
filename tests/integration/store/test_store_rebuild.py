"""Another file takes the place of a catalog in SQLite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_dvmount.store import Unavailable, VersionStore, rebuild_store

Open = Callable[[], VersionStore]


def test_a_catalog_that_is_no_database_any_more_is_made_anew(
    open_here: Open, store: VersionStore, tmp_path: Path
) -> None:
    store.close()
    (tmp_path / "store" / "catalog.sqlite").write_bytes(b"no database" * 1000)
    assert list(rebuild_store(store.url)) == []
    with open_here() as again:
        assert [repo.name for repo in again.list_repos()] == ["images"]


def test_a_program_that_has_the_old_catalog_open_is_told(open_here: Open) -> None:
    store = open_here()
    store.create_repo("images")
    assert list(rebuild_store(store.url)) == []
    with pytest.raises(Unavailable, match="replaced"):
        store.create_repo("late")
    with open_here() as again:
        assert [repo.name for repo in again.list_repos()] == ["images"]
