from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_dvmount.store import VersionStore, open_store
from tests.services.postgres import PostgresServer, need_postgres, running_postgres
from tests.services.s3 import S3Server, running_s3


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


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """An S3 server."""
    with running_s3() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    need_postgres()
    with running_postgres() as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server) -> Iterator[str]:
    """An empty bucket of the server."""
    name = s3.new_bucket()
    yield name
    s3.remove_bucket(name)
