"""A file system on a store of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from jupyter_dvmount.filesystem import DvmFileSystem
from jupyter_dvmount.filesystem.stores import shared_store
from jupyter_dvmount.store import VersionStore, open_store


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the store is, as the environment says too; with the repository ``images``."""
    where = (tmp_path / "store").as_uri()
    monkeypatch.setenv("DVMOUNT_STORE", where)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with open_store(where) as store:
        store.create_repo("images")
    yield where
    shared_store(where).close()
    DvmFileSystem.clear_instance_cache()


@pytest.fixture
def fs(url: str) -> DvmFileSystem:
    return fsspec.filesystem("dvm")


@pytest.fixture
def store(url: str) -> Iterator[VersionStore]:
    """The same store, not through the file system."""
    with open_store(url) as opened:
        yield opened
