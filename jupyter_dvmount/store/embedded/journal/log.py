"""The journal: what each transaction made of the catalog, kept beside the packs (``docs/format.md``).

With it the blobs alone are enough to make the catalog anew. An entry is written into a table within the
transaction that it tells of; from there it moves to a blob a moment later, or when the store is opened next.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import zstandard
from sqlalchemy import Connection, delete, func, insert, select

from jupyter_dvmount.store.embedded.blobs.base import Blobs
from jupyter_dvmount.store.embedded.catalog import Catalog
from jupyter_dvmount.store.embedded.catalog.schema import changes, journal
from jupyter_dvmount.store.embedded.commits import feed
from jupyter_dvmount.store.errors import Corrupt, StoreError

from . import images
from .images import Image

JOURNAL = "journal/"
"""Prefix of the names of the journal's blobs."""
_WHOLE = ".all"  # ends the name of a blob that tells of everything up to its number
_DELAY = 1.0  # seconds in which transactions gather for one blob
_BATCH = 1_000  # transactions in one blob
_KEPT = 500  # blobs that are left before everything is written anew into one
_ENTER = insert(journal)
_log = logging.getLogger("jupyter_dvmount.store")
_decoder = msgspec.json.Decoder(Image)


class Journal:
    """Writes the journal of one open store. Thread-safe.

    Parameters
    ----------
    catalog, blobs
        Of the store.
    """

    def __init__(self, catalog: Catalog, blobs: Blobs) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        with catalog.read() as connection:
            left_over = connection.execute(select(journal.c.seq).limit(1)).first() is not None
        if left_over:
            self._flush_soon()

    @contextmanager
    def change(
        self, doing: str = "cannot write the catalog", *, repo: int | None = None
    ) -> Iterator[Connection]:
        """A transaction that changes what users see, and tells the journal of it; see `Catalog.write`."""
        with self._catalog.write(doing, repo=repo) as connection:
            told = feed.listen(connection)
            yield connection
            if told:
                data = b"".join(_lines(images.of(connection, told)))
                connection.execute(_ENTER, {"seq": told[-1].seq, "data": data})
        if told:
            self._flush_soon()

    def flush(self) -> None:
        """Move all entries of the table to blobs."""
        while entries := self._entries():
            content = b"".join(data for _, data in entries)
            last = entries[-1][0]
            self._blobs.write(_name(last), zstandard.ZstdCompressor().compress(content))
            with self._catalog.write("cannot tidy the journal") as connection:
                connection.execute(delete(journal).where(journal.c.seq.in_([seq for seq, _ in entries])))

    def compact(self) -> None:
        """Write the whole catalog into one blob in place of many, where there are many."""
        self.flush()
        names = [blob.name for blob in self._blobs.list(JOURNAL)]
        if len(names) <= _KEPT:
            return
        with self._catalog.read() as connection:
            last = connection.execute(select(func.max(changes.c.seq))).scalar() or 0
            compressor = zstandard.ZstdCompressor().compressobj()
            parts = [compressor.compress(line) for line in _lines(images.of_everything(connection, last))]
        whole = _name(last) + _WHOLE
        self._blobs.write(whole, b"".join((*parts, compressor.flush())))
        for name in names:
            if name < whole:
                self._blobs.delete(name)

    def close(self) -> None:
        """Write what is left; a store that cannot be reached keeps it in the table."""
        self._closing.set()
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
            self._try_to_flush()

    def _entries(self) -> list[Any]:
        with self._catalog.read() as connection:
            query = select(journal.c.seq, journal.c.data).order_by(journal.c.seq).limit(_BATCH)
            return list(connection.execute(query).all())

    def _flush_soon(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._flush_later, name="dvmount-journal", daemon=True)
                self._thread.start()

    def _flush_later(self) -> None:
        if not self._closing.wait(_DELAY):
            self._try_to_flush()

    def _try_to_flush(self) -> None:
        try:
            self.flush()
        except StoreError as error:  # the change itself is made: the next one who opens the store goes on
            _log.warning("cannot write the journal now: %s", error.message)


def read_journal(blobs: Blobs) -> Iterator[Image]:
    """What the journal tells, oldest first, beginning with the last blob that tells of everything.

    Raises
    ------
    Corrupt, Unavailable
        If a blob cannot be read.
    """
    names = [blob.name for blob in blobs.list(JOURNAL)]
    wholes = [index for index, name in enumerate(names) if name.endswith(_WHOLE)]
    seen = -1
    for name in names[wholes[-1] if wholes else 0 :]:
        read = _decode(name, blobs.load(name))
        yield from (image for image in read if image.seq > seen)
        seen = max([seen, *(image.seq for image in read)])


def _name(seq: int) -> str:
    return f"{JOURNAL}{seq:020d}"


def _lines(told: Iterable[Image]) -> Iterator[bytes]:
    return (msgspec.json.encode(image) + b"\n" for image in told)


def _decode(name: str, data: bytes) -> list[Image]:
    try:
        content = zstandard.ZstdDecompressor().decompressobj().decompress(data)
        return [_decoder.decode(line) for line in content.splitlines()]
    except (zstandard.ZstdError, msgspec.DecodeError) as error:
        raise Corrupt(f"{name} cannot be read: {error}", fix="restore it from a backup") from error
