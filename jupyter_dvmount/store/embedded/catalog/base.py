"""What the engine asks of a catalog, whatever the database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection, Engine, insert, select
from typing_extensions import Self

from jupyter_dvmount.store.embedded.packs.pack import SealedPack
from jupyter_dvmount.store.errors import Conflict, Corrupt, Invalid, Unavailable

from .schema import HEAD, REVISIONS, alembic_version, changes, chunks, metadata, packs, store

BUSY_SECONDS = 60
"""Longest that anybody waits for others who write."""
UPGRADED = "the catalog was upgraded meanwhile by a newer program; start this one again"
_QUESTION_SIZE = 500  # hashes asked for in one statement
_PLACES = select(
    chunks.c.hash, packs.c.name, chunks.c.offset, chunks.c.stored, chunks.c.raw, chunks.c.codec
).join(packs, packs.c.num == chunks.c.pack)
MISSING = "make it anew with 'dvmount fsck --rebuild', or restore it from a backup"


class ChunkPlace(NamedTuple):
    """The pack that a chunk is in, where in it, and how it is stored."""

    pack: str
    offset: int
    stored: int
    raw: int
    codec: int


class Overtaken(Conflict):
    """A transaction that the database has given up in favour of others; to do it again may work."""


class Catalog(ABC):
    """The catalog of one store. Thread-safe.

    Every method raises the store's errors: `Unavailable` or `Denied` for what the database says.

    Parameters
    ----------
    name
        What it is called in messages; without any secret.
    engine
        Connections to it.
    """

    def __init__(self, name: str, engine: Engine) -> None:
        self.name = name
        self._engine = engine
        self._closed = False

    # its life
    def create(self, id_: str) -> str:
        """Make the tables of a store, if they are missing; returns the id of the store they belong to."""
        with self._making() as connection:
            if self._revision(connection) is None:
                metadata.create_all(connection)
                connection.execute(insert(alembic_version).values(version_num=HEAD))
                connection.execute(insert(store).values(id=id_, epoch=0))
            held: str = connection.execute(select(store.c.id)).scalar_one()
        return held

    def is_used(self) -> bool:
        """Whether anything has ever been done with the store."""
        with self.read("cannot look at the catalog") as connection:
            return connection.execute(select(changes.c.seq).limit(1)).first() is not None

    def check(self, id_: str) -> None:
        """See that this is the catalog of the store with this id; one of an older version is upgraded.

        Raises
        ------
        Corrupt
            If it is missing or damaged.
        Invalid
            If it belongs to another store.
        Unavailable
            If it is of a newer version.
        """
        doing = "cannot open the catalog"
        with self.read(doing) as connection:
            revision = self._revision(connection)
            held = connection.execute(select(store.c.id)).scalar_one_or_none() if revision == HEAD else None
        if revision is None or (revision == HEAD and held is None):
            raise Corrupt(f"{doing}: {self.name} has no store in it", fix=MISSING)
        if revision not in REVISIONS:
            raise Unavailable(
                f"the catalog {self.name} has version {revision}, this program knows up to {HEAD}",
                fix="update jupyter-dvmount: pip install --upgrade jupyter-dvmount",
            )
        if held not in {id_, None}:
            raise Invalid(
                f"the catalog {self.name} belongs to the store {held}, the data to the store {id_}",
                fix="name the catalog and the data of one store",
            )
        if revision != HEAD:
            self._upgrade(id_)

    def _upgrade(self, id_: str) -> None:
        from jupyter_dvmount.store.embedded.migrations import upgrade  # takes 0.2 s to load

        with self._making() as connection:
            revision = self._revision(connection)
            if revision is not None and revision != HEAD:  # nobody else was first
                upgrade(connection, revision, store_id=id_)

    @abstractmethod
    def replacing(self) -> AbstractContextManager[Catalog]:
        """An empty catalog, which takes the place of this one when the block ends well.

        Programs that have the old one open notice and stop using it.
        """

    def close(self) -> None:
        """Close every connection; the catalog cannot be used any more."""
        self._closed = True
        self._engine.dispose()

    # transactions
    @abstractmethod
    def read(self, doing: str = "cannot read the catalog") -> AbstractContextManager[Connection]:
        """A transaction with a consistent view, for reading."""

    @abstractmethod
    def write(
        self, doing: str = "cannot write the catalog", *, repo: int | None = None
    ) -> AbstractContextManager[Connection]:
        """A transaction that waits for others before it reads anything: keep it short.

        Parameters
        ----------
        doing
            Begins the message of an error.
        repo
            Number of the repository that it is about. It then waits for those about the same one or the
            whole store only; without, it is alone in the store.
        """

    @abstractmethod
    def write_packs(self, doing: str) -> AbstractContextManager[Connection]:
        """A transaction that does nothing but insert packs. It waits for those about the whole store only."""

    @abstractmethod
    def alone(self, what: str) -> AbstractContextManager[None]:
        """Let one process at a time do something; the lock ends with the process.

        Raises
        ------
        Conflict
            If another one is doing it.
        """

    # hot look-ups and bulk
    @abstractmethod
    def find_chunk(self, hash_: bytes) -> ChunkPlace | None:
        """Where a chunk is."""

    def find_chunks(self, hashes: Iterable[bytes]) -> dict[bytes, ChunkPlace]:
        """Where many chunks are: those that are in the store."""
        found: dict[bytes, ChunkPlace] = {}
        waiting = iter(hashes)
        with self.read("cannot look chunks up") as connection:
            while batch := list(islice(waiting, _QUESTION_SIZE)):
                query = _PLACES.where(chunks.c.hash.in_(batch))
                found.update((row[0], ChunkPlace(*row[1:])) for row in connection.execute(query))
        return found

    @abstractmethod
    def known(self, hashes: Iterable[bytes]) -> set[bytes]:
        """Those of the chunks that are in the store for good: neither lost nor condemned."""

    @abstractmethod
    def has_pack(self, name: str) -> bool:
        """Whether a pack is in the catalog."""

    @abstractmethod
    def insert_packs(
        self, connection: Connection, packs: Iterable[SealedPack], writer: str | None = None
    ) -> None:
        """Enter packs and their chunks; chunks that are there for good stay where they are.

        Parameters
        ----------
        connection
            The transaction.
        packs
            The packs.
        writer
            Whose they are until they are a commit's.
        """

    @abstractmethod
    def damage(self) -> Iterator[str]:
        """What the database itself finds damaged."""

    # for the dialects
    @abstractmethod
    def _making(self) -> AbstractContextManager[Connection]:
        """A transaction in which tables can be made, with nobody else about it."""

    @abstractmethod
    def _revision(self, connection: Connection) -> str | None:
        """The version of the tables; None if there are none."""

    @abstractmethod
    def _translated(self, doing: str) -> AbstractContextManager[None]:
        """Turn an error of the database in the block into the store's error."""

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the store is closed", fix="open it again")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
