"""Where the stores of these tests are, and a way to look at their data past the code under test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from jupyter_dvmount.store.embedded.blobs import Blobs, LocalBlobs
from jupyter_dvmount.store.embedded.blobs.base import PACKS
from jupyter_dvmount.store.embedded.blobs.s3.address import parse_address
from jupyter_dvmount.store.embedded.blobs.s3.blobs import S3Blobs
from tests.services.postgres import PostgresServer
from tests.services.s3 import S3Server


class StorePlace:
    """Where the store of a test is, or will be.

    Parameters
    ----------
    url
        To open it.
    open_blobs
        Opens its data, past the store.
    drop_catalog
        Makes the catalog vanish.
    """

    def __init__(self, url: str, open_blobs: Callable[[], Blobs], drop_catalog: Callable[[], None]) -> None:
        self.url = url
        self.drop_catalog = drop_catalog
        self._open_blobs = open_blobs

    @cached_property
    def blobs(self) -> Blobs:
        """Its data, past the store."""
        return self._open_blobs()

    def packs(self) -> dict[str, int]:
        """Sizes of the packs by name."""
        return {blob.name: blob.size for blob in self.blobs.list(PACKS)}

    def stored(self) -> int:
        """Bytes of all packs."""
        return sum(self.packs().values())


@contextmanager
def sqlite(tmp_path: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """The value of ``catalog=`` for a file, and what makes it vanish."""
    directory = tmp_path / "catalog"

    def drop() -> None:
        for path in directory.iterdir():
            path.unlink()

    yield "sqlite://" + quote(str(directory / "c.sqlite")), drop


@contextmanager
def postgresql(server: PostgresServer) -> Iterator[tuple[str, Callable[[], None]]]:
    """The value of ``catalog=`` for a schema of its own, and what makes its tables vanish."""
    schema = server.new_schema()

    def drop() -> None:
        server.remove_schema(schema)
        with server.connect() as connection:
            connection.execute(f"CREATE SCHEMA {schema}")

    yield server.url(schema=schema), drop
    server.remove_schema(schema)


def local(tmp_path: Path) -> tuple[str, Callable[[], Blobs]]:
    """The URL of a directory, and what opens the data in it."""
    return (tmp_path / "store").as_uri() + "?", lambda: LocalBlobs(tmp_path / "store")


def s3(server: S3Server, bucket: str, tmp_path: Path) -> tuple[str, Callable[[], Blobs]]:
    """The URL of a bucket, and what opens the data in it."""
    url = f"s3://{bucket}/store?endpoint={server.endpoint}"
    return f"{url}&", lambda: S3Blobs(parse_address(url), tmp_path / "staging")
