"""One collection, step by step (``docs/format.md``, garbage collection)."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection, delete, func, select, update

from jupyter_dvmount.store.embedded.blobs.base import PACKS
from jupyter_dvmount.store.embedded.catalog.schema import chunks, commits, now, packs, writers
from jupyter_dvmount.store.embedded.packs.hashset import HashSet
from jupyter_dvmount.store.embedded.parts import Parts
from jupyter_dvmount.store.embedded.writing.epoch import begin_epoch
from jupyter_dvmount.store.embedded.writing.lease import EXPIRES
from jupyter_dvmount.store.errors import Corrupt
from jupyter_dvmount.store.model import Collected
from jupyter_dvmount.store.protocol import Progress

from .marking import Marker
from .packing import drop_tombstones, entomb, rewrite

_ORPHAN_AGE = 3600.0  # seconds; a pack is registered at once, but its writer's machine may be asleep
_BATCH = 5_000  # chunks changed in one transaction, so that writers wait for a moment only
_MICROS = 1_000_000
_log = logging.getLogger("jupyter_dvmount.store")


def collect(parts: Parts, *, grace: float, progress: Progress | None) -> Collected:
    """Condemn what no commit needs, remove what was condemned long enough ago, tidy the packs.

    Parameters
    ----------
    parts
        The store.
    grace
        Seconds between the two.
    progress
        Called with (entries of trees, bytes freed) so far.

    Raises
    ------
    Conflict
        If another collection is running.
    Corrupt
        If a tree cannot be read, so that nobody can say what it needs. Nothing is changed then.
    """
    with parts.catalog.alone("gc"), HashSet() as live:
        collection = _Collection(parts, live, progress)
        drop_tombstones(parts)
        collection.mark()
        collection.condemn()
        collection.remove(grace)
        collection.tidy_packs()
        collection.delete_orphans()
    return collection.result


class _Collection:
    """The state of one collection."""

    def __init__(self, parts: Parts, live: HashSet, progress: Progress | None) -> None:
        self.result = Collected()
        self._parts = parts
        self._live = live
        self._progress = progress
        self._marker = Marker(parts.nodes, parts.chunks, live)
        self._entries = 0
        self._newest_pack = 0

    def mark(self) -> None:
        """Gather what the commits of this moment need."""
        with self._parts.catalog.read() as connection:
            self._newest_pack = connection.execute(select(func.max(packs.c.num))).scalar() or 0
            roots = _roots(connection)
        self._mark(roots)

    def condemn(self) -> None:
        """Condemn what is not marked; then mark what was committed since, and take it back for that."""
        self._rescue()
        with self._parts.catalog.write("cannot look for dead writers") as connection:
            connection.execute(delete(writers).where(writers.c.seen < now() - int(EXPIRES * _MICROS)))
            orphaned = packs.c.writer.not_in(select(writers.c.id))
            connection.execute(update(packs).where(orphaned).values(writer=None))
        with HashSet() as dead:
            dead.add(self._unmarked())
            for batch in dead.batches(_BATCH):
                with self._parts.catalog.write("cannot condemn chunks") as connection:
                    begin_epoch(connection)
                    self._condemn(connection, batch)
        with self._parts.catalog.read() as connection:
            roots = _roots(connection)
        self._mark(roots)
        self._rescue()

    def remove(self, grace: float) -> None:
        """Remove the rows of chunks condemned ``grace`` seconds ago or earlier."""
        old = chunks.c.condemned <= now() - int(grace * _MICROS)
        some = select(chunks.c.hash).where(old).limit(_BATCH)
        while True:
            with self._parts.catalog.write("cannot remove chunks") as connection:
                begin_epoch(connection)
                query = delete(chunks).where(chunks.c.hash.in_(some), old).returning(chunks.c.stored)
                stored = list(connection.execute(query).scalars())
            if not stored:
                return
            self._count(removed=len(stored), removed_bytes=sum(stored))

    def tidy_packs(self) -> None:
        """Delete packs that nothing is left of, and rewrite those that little is left of."""
        gone = rewrite(self._parts, self._newest_pack)
        drop_tombstones(self._parts)
        self._count(packs_removed=gone.removed, packs_rewritten=gone.rewritten, freed=gone.freed)

    def delete_orphans(self) -> None:
        """Delete packs that no writer has entered into the catalog, long after they were written."""
        before = time.time() - _ORPHAN_AGE
        with self._parts.catalog.write("cannot look for orphans") as connection:
            begin_epoch(connection)
        for blob in self._parts.blobs.list(PACKS):
            if blob.modified < before and entomb(self._parts, blob.name.removeprefix(PACKS)):
                self._count(packs_removed=1, freed=blob.size)

    def _mark(self, roots: list[bytes]) -> None:
        try:
            for entries in self._marker.mark(roots):
                self._entries += entries
                if self._progress is not None:
                    self._progress(self._entries, self.result.freed)
        except Corrupt as error:
            message = f"cannot collect garbage, since a commit cannot be read: {error.message}"
            raise Corrupt(message, fix="run 'dvmount fsck --full', and drop or mend what it names") from error

    def _unmarked(self) -> Iterator[bytes]:
        """Chunks that are not marked, but for packs of writers in flight and those newer than the mark."""
        with self._parts.catalog.read() as connection:
            query = (
                select(chunks.c.hash)
                .join(packs, packs.c.num == chunks.c.pack)
                .where(chunks.c.condemned.is_(None), packs.c.writer.is_(None))
                .where(packs.c.num <= self._newest_pack)
            )
            for part in connection.execution_options(yield_per=_BATCH).execute(query).scalars().partitions():
                yield from self._live.missing(list(part))

    def _condemn(self, connection: Connection, hashes: list[bytes]) -> None:
        query = (
            update(chunks)
            .where(chunks.c.hash.in_(hashes), chunks.c.condemned.is_(None))
            .values(condemned=now())
            .returning(chunks.c.stored)
        )
        stored = list(connection.execute(query).scalars())
        self._count(condemned=len(stored), condemned_bytes=sum(stored))

    def _rescue(self) -> None:
        """Take back the condemnation of what is marked."""
        after = b""
        while True:
            with self._parts.catalog.read() as connection:
                query = select(chunks.c.hash).where(chunks.c.condemned.is_not(None), chunks.c.hash > after)
                batch = list(connection.execute(query.order_by(chunks.c.hash).limit(_BATCH)).scalars())
            if not batch:
                return
            after = batch[-1]
            unmarked = set(self._live.missing(batch))
            needed = [hash_ for hash_ in batch if hash_ not in unmarked]
            if needed:
                with self._parts.catalog.write("cannot take back a condemnation") as connection:
                    connection.execute(update(chunks).where(chunks.c.hash.in_(needed)).values(condemned=None))

    def _count(self, **more: int) -> None:
        values = {name: getattr(self.result, name) + number for name, number in more.items()}
        self.result = msgspec.structs.replace(self.result, **values)


def _roots(connection: Connection) -> list[bytes]:
    query = select(commits.c.root).where(commits.c.root.is_not(None)).distinct()
    return list(connection.execute(query).scalars())
