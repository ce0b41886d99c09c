"""The protocol between the engine and the place where its bytes lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from jupyter_dvmount.store.errors import Corrupt

PACKS = "packs/"
"""Prefix of the names of packs."""


class MissingBlob(Corrupt):
    """A blob that the catalog knows is not there. A collector may have moved its contents elsewhere."""


class BlobInfo(NamedTuple):
    """One blob of a listing: its name, size in bytes, and when it came, in seconds since 1970 UTC."""

    name: str
    size: int
    modified: float


class Blobs(Protocol):
    """Byte strings that appear whole under a name and do not change afterwards. Thread-safe.

    Names are ``/``-separated, such as ``packs/<32 hex digits>``. Every method raises `Unavailable` or
    `Denied` for what the place says, within a bounded time.
    """

    @property
    def staging(self) -> Path:
        """A local directory for files that are to be published, on the place's own disk if it has one."""

    @property
    def source(self) -> Blobs:
        """The same blobs past any cache of them; themselves where there is none."""

    def read(self, name: str, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset``, fewer only at the end of the blob; `MissingBlob` without it."""

    def size(self, name: str) -> int:
        """Bytes of a blob, as they are at its place; `MissingBlob` without it."""

    def load(self, name: str) -> bytes:
        """A whole blob, as it is at its place; `MissingBlob` without it."""

    def publish(self, file: BinaryIO, name: str) -> None:
        """Make a file of ``staging``, open for reading and flushed, the blob ``name``.

        When this returns the blob is durable, and the file is gone from ``staging``.
        """

    def write(self, name: str, data: bytes) -> None:
        """Make or replace a small blob, atomically and durably."""

    def list(self, prefix: str, after: str = "") -> Iterator[BlobInfo]:
        """Blobs below a prefix that ends in ``/``, by name, from the first name greater than ``after``."""

    def delete(self, name: str) -> None:
        """Remove a blob, if it is there."""

    def forget(self, name: str, offset: int, length: int) -> bool:
        """Drop local copies of a range that turned out to be damaged; whether to read it again may help."""

    def close(self) -> None:
        """Release files and connections; idempotent."""
