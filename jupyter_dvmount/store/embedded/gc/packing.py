"""Packs after a collection: deleted when empty, rewritten when little of them is in use or they are small."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import delete, func, insert, select, update

from jupyter_dvmount.store.embedded.blobs.base import PACKS
from jupyter_dvmount.store.embedded.catalog.schema import chunks, now, packs
from jupyter_dvmount.store.embedded.packs.codec import Encoded, Kind, decode
from jupyter_dvmount.store.embedded.packs.pack import TARGET, PackWriter, Place, SealedPack
from jupyter_dvmount.store.embedded.parts import Parts
from jupyter_dvmount.store.errors import Corrupt

_LIVE = 0.5
"""Share of a pack's bytes in use below which it is rewritten: writing is paid back by freeing as much."""
_WORTH = 64 << 10  # bytes of a pack that are worth freeing: a footer is no garbage
_SMALL = TARGET // 4
_MANY = 16  # small packs of a kind that are worth joining
_log = logging.getLogger("jupyter_dvmount.store")


class Tidied(NamedTuple):
    """Packs deleted, packs rewritten, and bytes by which their files became smaller."""

    removed: int
    rewritten: int
    freed: int


class _Use(NamedTuple):
    """A pack, and the bytes of it that are in use."""

    num: int
    name: str
    kind: Kind
    size: int
    used: int


def rewrite(parts: Parts, newest: int) -> Tidied:
    """Move what is in use out of packs that are mostly unused or small, and entomb them.

    Parameters
    ----------
    parts
        The store.
    newest
        Number of the newest pack that is looked at.
    """
    uses = list(_uses(parts, newest))
    empty = [use for use in uses if not use.used]
    written = 0
    chosen = [use for kind in Kind for use in _worth_rewriting(uses, kind)]
    for kind in Kind:
        written += _Rewriting(parts, kind).run([use for use in chosen if use.kind is kind])
    _entomb_empty(parts, [use.num for use in (*empty, *chosen)])
    freed = sum(use.size for use in (*empty, *chosen)) - written
    return Tidied(len(empty) + len(chosen), len(chosen), freed)


def _uses(parts: Parts, newest: int) -> Iterator[_Use]:
    used = func.coalesce(func.sum(chunks.c.stored), 0).label("used")
    query = (
        select(packs.c.num, packs.c.name, packs.c.kind, packs.c.size, used)
        .outerjoin(chunks, chunks.c.pack == packs.c.num)
        .where(packs.c.num <= newest, packs.c.writer.is_(None), packs.c.condemned.is_(None))
        .group_by(packs.c.num, packs.c.name, packs.c.kind, packs.c.size)
        .order_by(packs.c.num)
    )
    with parts.catalog.read() as connection:
        for row in connection.execute(query):
            yield _Use(row.num, row.name, Kind(row.kind), row.size, int(row.used))


def _worth_rewriting(uses: list[_Use], kind: Kind) -> list[_Use]:
    ours = [use for use in uses if use.kind is kind and use.used]
    sparse = [use for use in ours if use.used < _LIVE * use.size and use.size - use.used > _WORTH]
    small = [use for use in ours if use.size < _SMALL and use not in sparse]
    if len(small) >= _MANY or sum(use.size for use in small) >= TARGET:
        sparse += small
    return sorted(sparse)


class _Rewriting:
    """Copies the chunks of packs of one kind into new packs, as they are stored."""

    def __init__(self, parts: Parts, kind: Kind) -> None:
        self._parts = parts
        self._kind = kind
        self._writer: PackWriter | None = None
        self._from: dict[bytes, int] = {}
        self._written = 0

    def run(self, uses: Iterable[_Use]) -> int:
        """Copy; returns the bytes written."""
        try:
            for use in uses:
                for place in self._chunks_of(use):
                    self._copy(use, place)
            self._seal()
        finally:
            if self._writer is not None:
                self._writer.abort()
        return self._written

    def _chunks_of(self, use: _Use) -> list[Place]:
        columns = (chunks.c.hash, chunks.c.offset, chunks.c.stored, chunks.c.raw, chunks.c.codec)
        query = select(*columns).where(chunks.c.pack == use.num).order_by(chunks.c.offset)
        with self._parts.catalog.read() as connection:
            return [Place(*row) for row in connection.execute(query)]

    def _copy(self, use: _Use, place: Place) -> None:
        hash_, offset, stored, raw, codec = place
        payload = self._parts.blobs.read(PACKS + use.name, offset, stored)
        if decode(self._kind, hash_, payload, raw, codec) is None:
            message = f"chunk {hash_.hex()} in pack {use.name} is damaged"
            raise Corrupt(message, fix="run 'dvmount fsck --full', then put the files that it names again")
        if self._writer is None:
            self._writer = PackWriter(self._parts.blobs, self._kind)
        self._writer.add([Encoded(self._kind, hash_, payload, raw, codec)])
        self._from[hash_] = use.num
        if self._writer.full:
            self._seal()

    def _seal(self) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        sealed = writer.seal()
        self._written += sealed.size
        self._move(sealed)
        self._from = {}

    def _move(self, sealed: SealedPack) -> None:
        """Point the chunks, where they still are what was copied, at the new pack."""
        with self._parts.catalog.write("cannot enter a rewritten pack") as connection:
            values = {"name": sealed.name, "kind": int(sealed.kind), "size": sealed.size}
            num = connection.execute(insert(packs).values(**values).returning(packs.c.num)).scalar_one()
            for place in sealed.places:
                here = (chunks.c.hash == place.hash) & (chunks.c.pack == self._from[place.hash])
                connection.execute(update(chunks).where(here).values(pack=num, offset=place.offset))


def _entomb_empty(parts: Parts, numbers: list[int]) -> None:
    """Make tombstones of packs, unless something has come to be in them meanwhile."""
    for num in numbers:
        used = select(chunks.c.hash).where(chunks.c.pack == num).exists()
        with parts.catalog.write("cannot take a pack out of use") as connection:
            connection.execute(update(packs).where(packs.c.num == num, ~used).values(condemned=now()))


def drop_tombstones(parts: Parts) -> None:
    """Delete the files of packs out of use, then forget them; readers on their way look again."""
    with parts.catalog.read() as connection:
        rows = connection.execute(
            select(packs.c.num, packs.c.name).where(packs.c.condemned.is_not(None))
        ).all()
    for num, name in rows:
        parts.blobs.delete(PACKS + name)
        with parts.catalog.write("cannot forget a pack") as connection:
            connection.execute(delete(packs).where(packs.c.num == num))


def entomb(parts: Parts, name: str) -> bool:
    """Delete a pack that the catalog does not know, with writers kept out; whether it was one."""
    with parts.catalog.write("cannot delete an orphan") as connection:
        if connection.execute(select(packs.c.num).where(packs.c.name == name)).one_or_none() is not None:
            return False
        parts.blobs.delete(PACKS + name)
    _log.info("deleted the pack %s, which no commit was ever made with", name)
    return True
