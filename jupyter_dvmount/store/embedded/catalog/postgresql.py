"""The catalog in a schema of a PostgreSQL database (``docs/format.md``, the catalog)."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import islice
from time import monotonic, sleep
from typing import Any
from zlib import crc32

import psycopg
from sqlalchemy import Connection, create_engine, delete, event, func, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from jupyter_dvmount.store.embedded.packs.pack import SealedPack
from jupyter_dvmount.store.errors import Conflict, Corrupt, Invalid, Unavailable

from .base import MISSING, UPGRADED, Catalog, ChunkPlace
from .feedlock import FEED_LOCK
from .schema import HEAD, alembic_version, changes, commits, metadata, now, packs, repos, transactions
from .server import connect, is_lost, is_stale, translate

_STORE, _FEED, _TASKS = 0, -1, -2  # numbers of locks; those of repositories are their own, from 1
_LOOKUPS = 4  # connections for look-ups that a process has at most
_QUESTION_SIZE = 5_000  # hashes asked for in one statement
_IDLE = 30  # seconds after which the server ends a writer that has gone silent with its locks
_SETTLING = 60.0  # seconds in which the server may come back to say whether a transaction was committed
_REMEMBERED = 86_400_000_000  # microseconds for which the catalog remembers transactions
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_FIND = (
    "SELECT packs.name, chunks.offset, chunks.stored, chunks.raw, chunks.codec FROM chunks"
    " JOIN packs ON packs.num = chunks.pack WHERE chunks.hash = %b"
)
_KNOWN = "SELECT hash FROM chunks WHERE NOT lost AND condemned IS NULL AND hash = ANY(%b)"
_INSERT_PACK = "INSERT INTO packs (name, kind, size, writer) VALUES (%s, %s, %s, %s) RETURNING num"
_INSERT_CHUNKS = (
    'INSERT INTO chunks (hash, kind, pack, "offset", stored, raw, codec, lost)'
    " SELECT *, FALSE FROM unnest(%b::bytea[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[],"
    " %b::bigint[], %b::bigint[]) ON CONFLICT (hash) DO UPDATE SET pack = excluded.pack,"
    ' "offset" = excluded."offset", stored = excluded.stored, raw = excluded.raw, codec = excluded.codec,'
    " lost = FALSE, condemned = NULL WHERE chunks.lost OR chunks.condemned IS NOT NULL"
)
_NUMBERED = (repos.c.num, commits.c.num, packs.c.num, changes.c.seq)
_UNCLEAR = "when the server can be reached again, see what is there ('dvmount list commit'), then try again"


class PostgresqlCatalog(Catalog):
    """A `Catalog` on a server, in the first schema of the connection's search path.

    Transactions are ordered by advisory locks, so that what one reads stays true until it commits.
    Connections are in autocommit mode; transactions are begun by statements that do all that has to come
    first in one round trip.

    Parameters
    ----------
    url
        For SQLAlchemy's dialect ``postgresql+psycopg``; without a password.
    """

    def __init__(self, url: URL) -> None:
        engine = create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_size=_LOOKUPS,
            max_overflow=-1,  # callers bound their threads; waiting for a connection could only deadlock
            pool_use_lifo=True,
        )
        event.listen(engine, "do_connect", lambda _dialect, _record, _args, options: connect(options))
        super().__init__(url.set(drivername="postgresql").render_as_string(), engine)
        self._locks = 0  # number of this store's locks
        self._lookups = threading.BoundedSemaphore(_LOOKUPS)
        self._alone: tuple[int, Connection] | None = None
        self._only: Connection | None = None  # the transaction that everything is part of

    def create(self, id_: str) -> str:
        """Make the tables."""
        held = super().create(id_)
        self._locks = _locks_of(held)
        return held

    def check(self, id_: str) -> None:
        """See that this is the catalog of a store."""
        self._locks = _locks_of(id_)
        super().check(id_)

    @contextmanager
    def replacing(self) -> Iterator[Catalog]:
        """This catalog, made anew by one transaction."""
        with self._making() as connection, PostgresqlCatalog(self._engine.url) as fresh:
            connection.exec_driver_sql(self._lock(_STORE))
            metadata.drop_all(connection)
            fresh._only = connection
            yield fresh
            for column in _NUMBERED:  # where numbers were given, and not drawn
                sequence = func.pg_get_serial_sequence(column.table.name, column.name)
                last = select(func.coalesce(func.max(column), 1)).scalar_subquery()
                connection.execute(select(func.setval(sequence, last)))

    @contextmanager
    def read(self, doing: str = "cannot read the catalog") -> Iterator[Connection]:
        """A transaction that sees one moment."""
        with self._transaction(doing, [_READ]) as connection:
            yield connection

    @contextmanager
    def write(
        self, doing: str = "cannot write the catalog", *, repo: int | None = None
    ) -> Iterator[Connection]:
        """A transaction behind the locks of the store and a repository."""
        if repo is None:
            with self._writing(doing, [self._lock(_STORE)]) as connection:
                self._see_that_it_is_alone()
                old = transactions.c.made < now() - _REMEMBERED
                connection.execute(delete(transactions).where(old))
                yield connection
        else:
            with self._writing(doing, [self._lock_shared(_STORE), self._lock(repo)]) as connection:
                yield connection

    @contextmanager
    def write_packs(self, doing: str) -> Iterator[Connection]:
        """A transaction beside all others but those about the whole store."""
        with self._writing(doing, [self._lock_shared(_STORE)]) as connection:
            yield connection

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """Let one process at a time do something; the lock ends with its connection."""
        self._check_open()
        number = _TASKS - (crc32(what.encode()) >> 2)
        with self._translated(f"cannot start '{what}'"), self._engine.connect() as connection:
            taken = f"SELECT pg_try_advisory_lock({self._locks}, {number})"
            if not connection.exec_driver_sql(taken).scalar_one():
                raise Conflict(f"another 'dvmount {what}' is running", fix="wait until it has ended")
            self._alone = threading.get_ident(), connection
            try:
                yield
            finally:
                self._alone = None
                with suppress(DBAPIError):  # the lock has ended with the connection
                    connection.exec_driver_sql(f"SELECT pg_advisory_unlock({self._locks}, {number})")

    def find_chunk(self, hash_: bytes) -> ChunkPlace | None:
        """Where a chunk is."""
        rows = self._ask("cannot look a chunk up", _FIND, hash_)
        return ChunkPlace(*rows[0]) if rows else None

    def known(self, hashes: Iterable[bytes]) -> set[bytes]:
        """Those of the chunks that are in the store for good."""
        wanted = iter(hashes)
        found: set[bytes] = set()
        while part := list(islice(wanted, _QUESTION_SIZE)):
            found.update(row[0] for row in self._ask("cannot look chunks up", _KNOWN, part))
        return found

    def has_pack(self, name: str) -> bool:
        """Whether a pack is in the catalog."""
        return bool(self._ask("cannot look a pack up", "SELECT 1 FROM packs WHERE name = %s", name))

    def insert_packs(
        self, connection: Connection, packs: Iterable[SealedPack], writer: str | None = None
    ) -> None:
        """Enter packs and their chunks, in the order of hashes: two writers cannot wait for each other."""
        plain = _plain(connection)
        rows: dict[bytes, tuple[int, ...]] = {}
        for pack in packs:
            values = (pack.name, int(pack.kind), pack.size, writer)
            (number,) = plain.execute(_INSERT_PACK, values).fetchone() or (0,)
            for hash_, *where in pack.places:
                rows.setdefault(hash_, (int(pack.kind), number, *where))
        order = iter(sorted(rows))
        while part := list(islice(order, _QUESTION_SIZE)):
            columns = [list(column) for column in zip(*(rows[hash_] for hash_ in part), strict=True)]
            plain.execute(_INSERT_CHUNKS, [part, *columns])

    def damage(self) -> Iterator[str]:
        """Nothing: the server has checksums and tools of its own."""
        return iter(())

    # for the base
    @contextmanager
    def _making(self) -> Iterator[Connection]:
        doing = "cannot make the catalog"
        lock = "SELECT pg_advisory_xact_lock(hashtext('dvmount'), hashtext(current_schema()))"
        with self._transaction(doing, ["BEGIN", lock]) as connection:
            if connection.exec_driver_sql("SELECT current_schema()").scalar() is None:
                raise Invalid(
                    f"{doing}: {self.name} has no schema for tables",
                    fix="make the one that search_path names: CREATE SCHEMA …",
                )
            yield connection

    def _revision(self, connection: Connection) -> str | None:
        if connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar() is None:
            return None
        return connection.execute(select(alembic_version.c.version_num)).scalar_one_or_none()

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise translate(error.orig, doing, self.name) from error
        except psycopg.Error as error:
            raise translate(error, doing, self.name) from error
        except (UnicodeEncodeError, OverflowError) as error:  # no text or number that a column can hold
            raise Invalid(f"{doing}: {error}", fix="use UTF-8 text and numbers below 2^63") from error

    # transactions
    @contextmanager
    def _writing(self, doing: str, locks: list[str]) -> Iterator[Connection]:
        """A transaction behind locks that the catalog remembers, should its end remain unclear."""
        token = uuid.uuid4().hex
        begin = [
            "BEGIN ISOLATION LEVEL READ COMMITTED",
            f"SET LOCAL idle_in_transaction_session_timeout = '{_IDLE}s'",
            *locks,
            f"INSERT INTO transactions (token, made) VALUES ('{token}', {now()})",  # noqa: S608 - ours
            "SELECT version_num FROM alembic_version",
        ]
        with self._transaction(doing, begin, token) as connection:
            connection.info[FEED_LOCK] = self._lock(_FEED)
            yield connection

    @contextmanager
    def _transaction(self, doing: str, begin: list[str], token: str | None = None) -> Iterator[Connection]:
        self._check_open()
        if self._only is not None:
            yield self._only
            return
        with self._translated(doing), closing(self._begun(begin, is_write=token is not None)) as connection:
            transaction = connection.get_transaction()
            assert transaction is not None  # _begun has begun it
            yield connection
            try:
                transaction.commit()
            except DBAPIError as error:
                if token is None or not is_lost(error.orig):
                    raise
                self._settle(doing, token)

    def _begun(self, begin: list[str], *, is_write: bool) -> Connection:
        """A connection with a transaction; one that the server has closed meanwhile is not noticed."""
        for is_last in (False, True):
            connection = self._engine.connect()
            try:
                connection.begin()
                cursor = _plain(connection).execute("; ".join(begin), prepare=False)
                while cursor.nextset():
                    pass
                if is_write and (row := cursor.fetchone()) != (HEAD,):
                    raise Unavailable(UPGRADED) if row else Corrupt("the catalog has no version", fix=MISSING)
            except BaseException as error:
                connection.close()
                if is_last or not is_stale(error):
                    raise
                self._engine.dispose()  # the other idle connections are from before, too
            else:
                return connection
        raise AssertionError

    def _settle(self, doing: str, token: str) -> None:
        """Find out whether a transaction whose connection was lost at its end was committed.

        Raises
        ------
        Unavailable
            If it was not, or if the server does not come back in time to say so.
        """
        lost = f"{doing}: the connection to the catalog {self.name} was lost"
        deadline = monotonic() + _SETTLING
        pause = 0.1
        while True:
            try:
                with self._transaction(doing, ["BEGIN", self._lock(_STORE)]) as connection:  # it has ended
                    found = select(transactions.c.token).where(transactions.c.token == token)
                    done = connection.execute(found).first() is not None
                break
            except Unavailable as error:
                if monotonic() + pause > deadline:
                    raise Unavailable(
                        f"{lost} as it was told to commit, and nobody can say whether it has", fix=_UNCLEAR
                    ) from error
            sleep(pause)
            pause = min(2 * pause, 2.0)
        if not done:
            raise Unavailable(f"{lost}; nothing was changed", fix="try again")

    def _lock(self, number: int) -> str:
        return f"SELECT pg_advisory_xact_lock({self._locks}, {number % (1 << 31) if number > 0 else number})"

    def _lock_shared(self, number: int) -> str:
        return f"SELECT pg_advisory_xact_lock_shared({self._locks}, {number})"

    def _see_that_it_is_alone(self) -> None:
        """See that the lock of `alone`, if this thread has it, is still held now that others wait."""
        if self._alone is not None and self._alone[0] == threading.get_ident():
            self._alone[1].exec_driver_sql("SELECT 1")

    def _ask(self, doing: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The answer to a look-up, asked again where the server had closed the connection."""
        self._check_open()
        with self._translated(doing), self._lookups:
            for is_last in (False, True):
                with closing(self._engine.raw_connection()) as pooled:
                    plain: Any = pooled.driver_connection
                    try:
                        answer = plain.execute(query, values, prepare=True, binary=True)
                        return list(answer.fetchall())
                    except psycopg.Error as error:
                        if is_lost(error):
                            pooled.invalidate()
                        if is_last or not is_stale(error):
                            raise
                self._engine.dispose()
        raise AssertionError


def _locks_of(id_: str) -> int:
    """The number of a store's locks: a signed integer of 32 bits. Stores that share one only wait more."""
    return crc32(id_.encode()) - (1 << 31)


def _plain(connection: Connection) -> Any:
    """psycopg's own connection."""
    return connection.connection.driver_connection
