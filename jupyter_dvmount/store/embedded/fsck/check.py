"""Check a store: packs against the catalog, then every commit's files against what is lost."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select, text, update

from jupyter_dvmount.store.embedded.blobs.base import PACKS, Blobs
from jupyter_dvmount.store.embedded.catalog import Catalog
from jupyter_dvmount.store.embedded.catalog.schema import chunks, commits, packs, repos
from jupyter_dvmount.store.embedded.packs.chunking import SMALL
from jupyter_dvmount.store.embedded.packs.codec import Kind, decode
from jupyter_dvmount.store.embedded.packs.pack import BadPack, Place, read_footer
from jupyter_dvmount.store.embedded.parts import Parts
from jupyter_dvmount.store.embedded.trees.tree import Item, Node, path_of
from jupyter_dvmount.store.errors import Corrupt, StoreError
from jupyter_dvmount.store.model import Problem
from jupyter_dvmount.store.protocol import Progress

_log = logging.getLogger("jupyter_dvmount.store")
_DANGLING = text(
    "SELECT repos.name AS repo, branches.name AS branch, branches.head AS head FROM branches"
    " JOIN repos ON repos.num = branches.repo"
    " LEFT JOIN commits ON commits.repo = branches.repo AND commits.id = branches.head"
    " WHERE branches.head IS NOT NULL AND (commits.num IS NULL OR commits.state != 'finished')"
)


class _Pack(NamedTuple):
    """A pack as the catalog knows it."""

    name: str
    kind: Kind
    size: int
    places: list[Place]


class _Finding(NamedTuple):
    """What is wrong with one pack, and the chunks that are lost by it."""

    pack: _Pack
    reason: str
    lost: list[bytes]


def check(parts: Parts, *, full: bool, progress: Progress | None) -> Iterator[Problem]:
    """Find what is lost.

    Parameters
    ----------
    parts
        The store.
    full
        Hash every chunk, instead of comparing the packs' footers with the catalog.
    progress
        Called with (packs, bytes) seen so far.

    Yields
    ------
    Problem
        First packs and catalog, then the paths of commits that suffer.
    """
    yield from _check_catalog(parts)
    lost: set[bytes] = set()
    for pack, reason, gone in _check_packs(parts, full=full, progress=progress):
        lost.update(gone)
        yield Problem(code="corrupt", message=f"pack {pack.name}: {reason}; {len(gone)} chunks lost")
    _mark(parts, lost, full=full)
    yield from _check_commits(parts, lost)


def _mark(parts: Parts, lost: set[bytes], *, full: bool) -> None:
    """Note which chunks are lost, so that the next put of their contents writes them again.

    Only a full check has seen enough to take back what an earlier one noted.
    """
    try:
        with parts.catalog.write("cannot note what is lost") as connection:
            if full:
                connection.execute(update(chunks).where(chunks.c.lost).values(lost=False))
            if lost:
                rows = [{"which": hash_} for hash_ in sorted(lost)]
                connection.execute(
                    update(chunks).where(chunks.c.hash == bindparam("which")).values(lost=True), rows
                )
    except StoreError as error:  # the findings matter more
        _log.warning("%s", error.message)


def _check_catalog(parts: Parts) -> Iterator[Problem]:
    for line in parts.catalog.damage():
        yield Problem(code="corrupt", message=f"catalog: {line}")
    with parts.catalog.read() as connection:
        for row in connection.execute(_DANGLING).all():
            message = (
                f"branch {row.branch} points at the commit {row.head}, which is not there or not finished"
            )
            yield Problem(code="corrupt", message=message, repo=row.repo, commit=row.head)


def _check_packs(parts: Parts, *, full: bool, progress: Progress | None) -> Iterator[_Finding]:
    look = _hash_chunks if full else _compare_footer
    done = size = 0
    known = _known_packs(parts.catalog)
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        while batch := list(islice(known, 2 * (os.cpu_count() or 1))):
            findings = workers.map(lambda pack: look(parts.blobs.source, pack), batch)
            for pack, finding in zip(batch, findings, strict=True):
                if finding is not None and (still := _still_there(parts.catalog, finding)):
                    yield still
                done, size = done + 1, size + pack.size
                if progress is not None:
                    progress(done, size)


def _still_there(catalog: Catalog, finding: _Finding) -> _Finding | None:
    """A finding without the chunks that a collection has moved out of the pack or removed meanwhile."""
    with catalog.read() as connection:
        query = select(packs.c.num).where(packs.c.name == finding.pack.name, packs.c.condemned.is_(None))
        num = connection.execute(query).scalar_one_or_none()
        if num is None:
            return None
        here = set(connection.execute(select(chunks.c.hash).where(chunks.c.pack == num)).scalars())
    return finding._replace(lost=[hash_ for hash_ in finding.lost if hash_ in here])


def _known_packs(catalog: Catalog) -> Iterator[_Pack]:
    """Packs with their chunks, one transaction each: a check may take hours."""
    with catalog.read() as connection:
        query = select(packs.c.num, packs.c.name, packs.c.kind, packs.c.size).order_by(packs.c.num)
        rows = connection.execute(query).all()
    columns = (chunks.c.hash, chunks.c.offset, chunks.c.stored, chunks.c.raw, chunks.c.codec)
    for num, name, kind, size in rows:
        with catalog.read() as connection:
            query = select(*columns).where(chunks.c.pack == num).order_by(chunks.c.offset)
            places = [Place(*row) for row in connection.execute(query)]
        if places:
            yield _Pack(name, Kind(kind), size, places)


def _compare_footer(blobs: Blobs, pack: _Pack) -> _Finding | None:
    try:
        kind, places = read_footer(blobs, pack.name)
        size = blobs.size(PACKS + pack.name)
    except (BadPack, Corrupt) as error:
        return _Finding(pack, str(error), [place.hash for place in pack.places])
    present = set(places)
    lost = [place.hash for place in pack.places if place not in present]
    if lost or kind is not pack.kind or size != pack.size:
        return _Finding(pack, "it is not what the catalog says", lost)
    return None


def _hash_chunks(blobs: Blobs, pack: _Pack) -> _Finding | None:
    try:
        content = memoryview(blobs.load(PACKS + pack.name))
    except Corrupt as error:
        return _Finding(pack, error.message, [place.hash for place in pack.places])
    lost = [place.hash for place in pack.places if not _is_whole(pack.kind, place, content)]
    if lost:
        return _Finding(pack, "bytes have changed", lost)
    return _compare_footer(blobs, pack)


def _is_whole(kind: Kind, place: Place, content: memoryview) -> bool:
    stored = content[place.offset : place.offset + place.stored]
    return decode(kind, place.hash, stored, place.raw, place.codec) is not None


def _check_commits(parts: Parts, lost: set[bytes]) -> Iterator[Problem]:
    walk = _Walk(parts, lost)
    with parts.catalog.read() as connection:
        rows = _all_commits(connection)
    for repo, commit, root in rows:
        for path, message in walk.node(root) if root is not None else ():
            yield Problem(code="corrupt", message=message, repo=repo, commit=commit, path=path)


def _all_commits(connection: Connection) -> list[tuple[str, str, bytes | None]]:
    query = select(repos.c.name, commits.c.id, commits.c.root).join(repos, repos.c.num == commits.c.repo)
    rows = connection.execute(query.order_by(commits.c.num.desc()))
    return [(row.name, row.id, row.root) for row in rows]


class _Walk:
    """Goes through trees; what was found whole once is not visited again."""

    def __init__(self, parts: Parts, lost: set[bytes]) -> None:
        self._parts = parts
        self._lost = lost
        self._whole: set[bytes] = set()

    def node(self, hash_: bytes, last: str = "") -> Iterator[tuple[str, str]]:
        """(path, what is wrong) below a node; ``last`` is the last key that it is known to hold."""
        if hash_ in self._whole:
            return
        try:
            node = self._load(hash_)
        except StoreError as error:
            where = f" up to {path_of(last)}" if last else ""
            yield path_of(last) or "/", f"a part of the list of files{where} is lost: {error.message}"
            return
        found = False
        for problem in self._children(node) if node.level else self._entries(node):
            found = True
            yield problem
        if not found:
            self._whole.add(hash_)

    def _load(self, hash_: bytes) -> Node:
        if hash_ in self._lost:  # it may still be in a cache
            raise Corrupt(f"chunk {hash_.hex()} is lost")
        return self._parts.nodes.load(hash_)

    def _children(self, node: Node) -> Iterator[tuple[str, str]]:
        for index, key in enumerate(node.keys):
            yield from self.node(node.hash(index), key)

    def _entries(self, leaf: Node) -> Iterator[tuple[str, str]]:
        files = [(path_of(key), item) for key, item in leaf.items() if not item.is_directory]
        known = self._parts.chunks.known({item.hash for _, item in files}) - self._lost
        for path, item in files:
            if item.hash not in known:
                yield path, "its contents are lost"
            elif item.size > SMALL and (reason := self._large(item)):
                yield path, reason

    def _large(self, item: Item) -> str:
        try:
            chunks = self._parts.chunks.chunk_map(item.hash).list
        except Corrupt as error:
            return error.message
        wanted = set(chunks.all())
        missing = len(wanted) - len(self._parts.chunks.known(wanted) - self._lost)
        return f"{missing} of its {len(wanted)} chunks are lost" if missing else ""
