"""What every place of a store has to promise: each test here runs on each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_dvmount.store import VersionStore, open_store
from tests.services.postgres import PostgresServer, need_postgres
from tests.services.s3 import S3Server

PLACES = ("sqlite+local", "postgresql+local", "sqlite+s3", "postgresql+s3")


@pytest.fixture(params=PLACES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of the test's store, which is not made yet."""
    catalog, _, data = request.param.partition("+")
    options = []
    if data == "s3":
        server: S3Server = request.getfixturevalue("s3")
        place = f"s3://{request.getfixturevalue('bucket')}/store"
        options.append(f"endpoint={server.endpoint}")
    else:
        place = (tmp_path / "store").as_uri()
    if catalog == "postgresql":
        need_postgres()
        postgres: PostgresServer = request.getfixturevalue("postgres")
        schema = postgres.new_schema()
        options.append(f"catalog={postgres.url(schema=schema)}")
    elif data == "s3":
        options.append(f"catalog={(tmp_path / 'catalog.sqlite').as_uri().replace('file:', 'sqlite:')}")
    yield place + ("?" + "&".join(options) if options else "")
    if catalog == "postgresql":
        postgres.remove_schema(schema)


@pytest.fixture
def open_here(url: str) -> Iterator[Callable[[], VersionStore]]:
    """Opens the test's store; may be called again after a close."""
    opened: list[VersionStore] = []

    def open_it() -> VersionStore:
        opened.append(open_store(url))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()
