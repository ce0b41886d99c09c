from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_dvmount.store import VersionStore, open_store


@pytest.fixture
def open_here(tmp_path: Path) -> Iterator[Callable[[], VersionStore]]:
    """Opens the test's store; may be called again after a close."""
    opened: list[VersionStore] = []

    def open_it() -> VersionStore:
        opened.append(open_store((tmp_path / "store").as_uri()))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(open_here: Callable[[], VersionStore]) -> VersionStore:
    """An empty store with the repo ``images``."""
    store = open_here()
    store.create_repo("images")
    return store
