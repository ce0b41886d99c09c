"""What one writer adds to the packs: every chunk once, packs sealed beside the work."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

from sqlalchemy import Connection

from jupyter_dvmount.store.embedded.blobs.base import PACKS, Blobs, MissingBlob
from jupyter_dvmount.store.embedded.catalog import Catalog
from jupyter_dvmount.store.embedded.machine.failures import disk_errors
from jupyter_dvmount.store.embedded.packs.codec import Encoded, Kind, decode, digest, encode
from jupyter_dvmount.store.embedded.packs.pack import PackWriter, SealedPack
from jupyter_dvmount.store.embedded.reading.chunks import ChunkSource
from jupyter_dvmount.store.errors import Conflict, StoreError, Unavailable

from .epoch import AGAIN, GONE, Reliance
from .lease import Lease

_DOING = "cannot write to the store"
_SEALS = 2  # packs that may wait for the disk before the writer waits too

Found = tuple[bytes, "Encoded | None"]
"""Hash of a chunk, and the chunk where the store does not have it."""


class PackSession:
    """Adds chunks to the store for one writer. One thread at a time, but for `find_new`.

    What is added is appended to packs by a thread of its own, and other ones sync the packs that are full.

    Packs that fill up are registered at once, so that a long put need not start again from nothing; the
    last ones are registered by the transaction that needs them. After a failed write nothing more can be
    added or finished, even if the caller has caught the error: chunks may be missing.
    """

    def __init__(self, blobs: Blobs, catalog: Catalog, source: ChunkSource, epoch: int) -> None:
        self.relies = Reliance(epoch)
        self._lease = Lease(catalog)
        self._blobs = blobs
        self._catalog = catalog
        self._source = source
        self._open: dict[Kind, PackWriter] = {}
        self._ours: set[bytes] = set()  # written here, not registered yet
        self._broken = False
        self._writing: Future[None] | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="dvmount-write")
        self._sealing: list[Future[None]] = []
        self._sealed: dict[str, SealedPack] = {}  # not registered yet
        self._registering = threading.Lock()  # the first one to register takes the lease
        self._sealer = ThreadPoolExecutor(2, thread_name_prefix="dvmount-seal")
        self.workers = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="dvmount-put")

    def find_new(self, kind: Kind, contents: Iterable[memoryview]) -> list[Found]:
        """Hash contents, and compress those that the store does not have. Thread-safe."""
        hashed = [(digest(kind, data), data) for data in contents]
        known = self._source.known(hash_ for hash_, _ in hashed)
        return [
            (hash_, None if hash_ in known or hash_ in self._ours else encode(kind, data, hash_))
            for hash_, data in hashed
        ]

    def add(self, kind: Kind, found: Iterable[Found]) -> None:
        """Write those that are new, beside the caller; on return, those of the call before are written."""
        chunks = self._fresh(found)
        self._wait_written()
        if chunks:
            self._writing = self._writer.submit(self._append, kind, chunks)

    def put(self, kind: Kind, data: bytes) -> bytes:
        """Write one chunk unless it is there; returns its hash."""
        found = self.find_new(kind, [memoryview(data)])
        self._wait_written()
        self._append(kind, self._fresh(found))
        return found[0][0]

    def load(self, kind: Kind, hash_: bytes) -> bytes:
        """A chunk of the store, or one written just now."""
        self._wait_written()
        writer = self._open.get(kind)
        with disk_errors(_DOING):
            stored = writer.read(hash_) if writer else None
        if writer and stored is not None:
            place = writer.places[hash_]
            data = decode(kind, hash_, stored, place.raw, place.codec)
            if data is not None:
                return data
        self._wait_sealed()
        return self._source.load(kind, hash_)

    def finish(self) -> None:
        """Make everything written durable; `register` then tells the catalog."""
        self._wait_written()
        writers, self._open = list(self._open.values()), {}
        self._sealing.extend(self._sealer.submit(self._seal, writer) for writer in writers[1:])
        if writers:
            self._seal(writers[0])
        self._wait_sealed()

    def register(self, connection: Connection) -> None:
        """Enter the finished packs into the catalog, within the caller's transaction.

        Raises
        ------
        Conflict
            If a collection of garbage has removed what this writer relied on.
        """
        shaken = self.relies.is_shaken(connection)
        self._insert(connection, list(self._sealed.values()), None, shaken=shaken)
        self._lease.release(connection)
        if shaken:
            self.relies.renew(connection, lambda hash_: self._source.chunk_map(hash_).list)

    def close(self) -> None:
        """End the session; packs that the catalog does not know are removed."""
        self.workers.shutdown(cancel_futures=True)
        self._writer.shutdown()
        self._sealer.shutdown()
        self._lease.close()
        self.relies.close()
        for writer in self._open.values():
            writer.abort()
        with suppress(OSError, StoreError):  # in doubt they stay: they harm nobody
            for name in self._sealed:
                self._remove_unregistered(name)
        self._open, self._sealed, self._sealing = {}, {}, []

    def _fresh(self, found: Iterable[Found]) -> list[Encoded]:
        """The chunks that neither the store nor this session has; what the store has is relied on."""
        chunks, held = [], []
        for hash_, chunk in found:
            if hash_ in self._ours:
                continue
            if chunk is None:
                held.append(hash_)
            else:
                self._ours.add(hash_)
                chunks.append(chunk)
        if held:
            self.relies.on(held)
        return chunks

    def _append(self, kind: Kind, chunks: list[Encoded]) -> None:
        while chunks:
            with self._unbroken():
                writer = self._open.get(kind)
                if writer is None:
                    writer = self._open[kind] = PackWriter(self._blobs, kind)
                chunks = chunks[writer.add(chunks) :]
            if writer.full:
                del self._open[kind]
                if len(self._sealing) >= _SEALS:
                    self._sealing.pop(0).result()
                self._sealing.append(self._sealer.submit(self._seal_and_register, writer))

    def _wait_written(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def _wait_sealed(self) -> None:
        while self._sealing:
            self._sealing.pop(0).result()

    @contextmanager
    def _unbroken(self) -> Iterator[None]:
        """A step of writing; if it fails, no other one can follow."""
        if self._broken:
            raise Unavailable(f"{_DOING}: an earlier write of this commit failed", fix="make the commit anew")
        try:
            with disk_errors(_DOING):
                yield
        except BaseException:
            self._broken = True
            raise

    def _seal(self, writer: PackWriter) -> None:
        try:
            with self._unbroken():
                self._sealed[writer.name] = writer.seal()
        except BaseException:
            writer.abort()
            raise

    def _seal_and_register(self, writer: PackWriter) -> None:
        self._seal(writer)
        with self._unbroken(), self._registering, self._catalog.write_packs(_DOING) as connection:
            self._lease.take(connection)
            shaken = self.relies.is_shaken(connection)
            self._insert(connection, [self._sealed[writer.name]], self._lease.id, shaken=shaken)
        del self._sealed[writer.name]
        self.relies.on(writer.places)
        self._ours.difference_update(writer.places)

    def _insert(
        self, connection: Connection, packs: list[SealedPack], writer: str | None, *, shaken: bool
    ) -> None:
        if shaken:  # a writer that slept for an hour may come back to find its packs taken for orphans
            try:
                for pack in packs:
                    self._blobs.size(PACKS + pack.name)
            except MissingBlob as error:
                raise Conflict(GONE, fix=AGAIN) from error
        self._catalog.insert_packs(connection, packs, writer)

    def _remove_unregistered(self, name: str) -> None:
        """Remove a pack, but never one that a transaction of unclear end has made part of the store."""
        if not self._catalog.has_pack(name):
            self._blobs.delete(PACKS + name)
