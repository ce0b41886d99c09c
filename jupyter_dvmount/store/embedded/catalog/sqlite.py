"""The catalog in a file of SQLite."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, create_engine, event, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from jupyter_dvmount.store.embedded.machine.failures import FREE_SPACE, SEE_TO_DISK, disk_errors
from jupyter_dvmount.store.embedded.machine.filesystems import is_on_network, sync_directory
from jupyter_dvmount.store.embedded.packs.pack import SealedPack
from jupyter_dvmount.store.errors import Conflict, Corrupt, Denied, Invalid, StoreError, Unavailable

from .base import BUSY_SECONDS, MISSING, UPGRADED, Catalog, ChunkPlace
from .schema import HEAD, alembic_version

_QUESTION_SIZE = 500  # hashes asked for in one statement
_ROOM = 128 << 10  # bytes that SQLite's own files need
_WRITING = "dvmount_writing"
_FIND = (
    "SELECT packs.name, chunks.offset, chunks.stored, chunks.raw, chunks.codec FROM chunks"
    " JOIN packs ON packs.num = chunks.pack WHERE chunks.hash = ?"
)
_FIND_MANY = (
    "SELECT chunks.hash, packs.name, chunks.offset, chunks.stored, chunks.raw, chunks.codec FROM chunks"
    " JOIN packs ON packs.num = chunks.pack WHERE chunks.hash IN ({})"
)
_KNOWN = "SELECT hash FROM chunks WHERE NOT lost AND condemned IS NULL AND hash IN ({})"
_INSERT_PACK = "INSERT INTO packs (name, kind, size, writer) VALUES (?, ?, ?, ?)"
_INSERT_CHUNK = (
    'INSERT INTO chunks (hash, kind, pack, "offset", stored, raw, codec, lost)'
    " VALUES (?, ?, ?, ?, ?, ?, ?, FALSE) ON CONFLICT (hash) DO UPDATE SET pack = excluded.pack,"
    ' "offset" = excluded."offset", stored = excluded.stored, raw = excluded.raw, codec = excluded.codec,'
    " lost = FALSE, condemned = NULL WHERE chunks.lost OR chunks.condemned IS NOT NULL"
)


class SqliteCatalog(Catalog):
    """A `Catalog` in a file; every thread has connections of its own, and one writes at a time.

    It has a write-ahead log but on network file systems, where that needs memory shared between hosts.

    Parameters
    ----------
    path
        The database file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode = 0
        self._journal = "DELETE" if is_on_network(path) else "WAL"
        engine = create_engine(
            f"sqlite:///{path}",
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False, "isolation_level": None},
            pool_size=4,
            max_overflow=-1,  # callers bound their threads; waiting for a connection could only deadlock
        )
        event.listen(engine, "connect", self._configure)
        event.listen(engine, "begin", _begin)
        super().__init__(str(path), engine)
        self._local = threading.local()
        self._readers: weakref.WeakSet[sqlite3.Connection] = weakref.WeakSet()

    def create(self, id_: str) -> str:
        """Make the file and its tables."""
        with disk_errors("cannot make the catalog"):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        return super().create(id_)

    def check(self, id_: str) -> None:
        """See that this is the catalog of a store."""
        if not self._path.exists():
            raise Corrupt(f"{self._path} is missing", fix=MISSING)
        super().check(id_)

    @contextmanager
    def replacing(self) -> Iterator[Catalog]:
        """A catalog in another file, which is renamed; the old one is kept as ``….replaced``."""
        fresh = self._path.with_suffix(".new")
        with disk_errors(f"cannot replace {self._path}"), self._lock("rebuild", BUSY_SECONDS):
            for path in _with_logs(fresh):
                path.unlink(missing_ok=True)
            with SqliteCatalog(fresh) as catalog:
                yield catalog
            sync_directory(self._path.parent)
            for path in _with_logs(self._path):
                if path.exists():
                    path.replace(
                        path.with_name(path.name.replace(self._path.name, f"{self._path.name}.replaced", 1))
                    )
            fresh.rename(self._path)
            sync_directory(self._path.parent)

    def close(self) -> None:
        """Close every connection."""
        super().close()
        for connection in list(self._readers):
            connection.close()
        self._local = threading.local()

    @contextmanager
    def read(self, doing: str = "cannot read the catalog") -> Iterator[Connection]:
        """A transaction that sees one moment."""
        self._check_open()
        with self._translated(doing), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(
        self, doing: str = "cannot write the catalog", *, repo: int | None = None
    ) -> Iterator[Connection]:
        """A transaction that holds the file's one lock for writing from its start."""
        with self._writing(doing) as connection:
            if self._revision(connection) != HEAD:
                raise Unavailable(UPGRADED)
            yield connection

    @contextmanager
    def write_packs(self, doing: str) -> Iterator[Connection]:
        """A transaction like any other."""
        with self.write(doing) as connection:
            yield connection

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """Let one process at a time do something."""
        try:
            with self._lock(what, 0):
                yield
        except Timeout as error:
            raise Conflict(f"another 'dvmount {what}' is running", fix="wait until it has ended") from error

    def find_chunk(self, hash_: bytes) -> ChunkPlace | None:
        """Where a chunk is."""
        with self._translated("cannot look a chunk up"):
            row = self._reader.execute(_FIND, (hash_,)).fetchone()
        return None if row is None else ChunkPlace(*row)

    def find_chunks(self, hashes: Iterable[bytes]) -> dict[bytes, ChunkPlace]:
        """Where many chunks are."""
        wanted = list(hashes)
        found: dict[bytes, ChunkPlace] = {}
        with self._translated("cannot look chunks up"):
            reader = self._reader
            for start in range(0, len(wanted), _QUESTION_SIZE):
                part = wanted[start : start + _QUESTION_SIZE]
                query = _FIND_MANY.format(",".join("?" * len(part)))
                found.update((row[0], ChunkPlace(*row[1:])) for row in reader.execute(query, part))
        return found

    def known(self, hashes: Iterable[bytes]) -> set[bytes]:
        """Those of the chunks that are in the store for good."""
        wanted = list(hashes)
        found: set[bytes] = set()
        with self._translated("cannot look chunks up"):
            reader = self._reader
            for start in range(0, len(wanted), _QUESTION_SIZE):
                part = wanted[start : start + _QUESTION_SIZE]
                query = _KNOWN.format(",".join("?" * len(part)))
                found.update(row[0] for row in reader.execute(query, part))
        return found

    def has_pack(self, name: str) -> bool:
        """Whether a pack is in the catalog."""
        with self._translated("cannot look a pack up"):
            return self._reader.execute("SELECT 1 FROM packs WHERE name = ?", (name,)).fetchone() is not None

    def insert_packs(
        self, connection: Connection, packs: Iterable[SealedPack], writer: str | None = None
    ) -> None:
        """Enter packs and their chunks."""
        for pack in packs:
            values = (pack.name, int(pack.kind), pack.size, writer)
            number = connection.exec_driver_sql(_INSERT_PACK, values).lastrowid
            rows = [(p.hash, int(pack.kind), number, p.offset, p.stored, p.raw, p.codec) for p in pack.places]
            connection.exec_driver_sql(_INSERT_CHUNK, rows)

    def damage(self) -> Iterator[str]:
        """What the database itself finds damaged."""
        with self.read() as connection:
            lines = connection.exec_driver_sql("PRAGMA quick_check").scalars().all()
        return (line for line in lines if line != "ok")

    @contextmanager
    def _making(self) -> Iterator[Connection]:
        with self._writing("cannot make the catalog") as connection:
            yield connection
            connection.exec_driver_sql(
                f"PRAGMA user_version = {int(HEAD)}"
            )  # tells programs that know no more

    @contextmanager
    def _writing(self, doing: str) -> Iterator[Connection]:
        self._check_open()
        with self._translated(doing), self._engine.connect() as connection:
            connection.execution_options(**{_WRITING: True})
            with connection.begin():
                yield connection

    def _revision(self, connection: Connection) -> str | None:
        stamped = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
        if connection.exec_driver_sql(stamped).first() is not None:
            return connection.execute(select(alembic_version.c.version_num)).scalar_one_or_none()
        number = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        return f"{number:04}" if number else None

    def _lock(self, what: str, patience: float) -> FileLock:
        return FileLock(self._path.with_name(f"{self._path.stem}.{what}.lock"), timeout=patience)

    @property
    def _reader(self) -> sqlite3.Connection:
        """This thread's plain connection for hot look-ups; it cannot write."""
        self._check_open()
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self._path,
                timeout=BUSY_SECONDS,
                check_same_thread=False,
                isolation_level=None,
                factory=_Reader,
            )
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            self._readers.add(connection)
        return connection

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise _translate(str(error.orig), doing, self._path) from error
        except sqlite3.Error as error:
            raise _translate(str(error), doing, self._path) from error
        except (UnicodeEncodeError, OverflowError) as error:  # no text or number that a column can hold
            raise Invalid(f"{doing}: {error}", fix="use UTF-8 text and numbers below 2^63") from error

    def _check_open(self) -> None:
        super()._check_open()
        if self._inode and self._inode != _inode(self._path):
            raise Unavailable("the catalog of the store has been replaced", fix="open the store again")

    def _configure(self, connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.execute(f"PRAGMA journal_mode = {self._journal}")
        connection.execute("PRAGMA synchronous = FULL")
        self._inode = self._inode or _inode(self._path)


class _Reader(sqlite3.Connection):
    """A connection that can be weakly referenced, and that closes with its thread."""

    def __del__(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # it could not be opened
            self.close()


def _begin(connection: Connection) -> None:
    # pysqlite's own BEGIN comes too late for reads and too weak for writes.
    writing = connection.get_execution_options().get(_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _with_logs(path: Path) -> list[Path]:
    """The files of a database, what it cannot do without last."""
    return [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal", "")]


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1


def _translate(text: str, doing: str, path: Path) -> StoreError:
    """The store's error for a message of SQLite while ``doing`` something."""
    if "disk is full" in text or ("disk I/O error" in text and _is_full(path)):
        return Unavailable(f"{doing}: disk full", fix=FREE_SPACE)
    if "readonly" in text or "authorization" in text:
        return Denied(f"{doing}: {text}", fix="mend the permissions of the catalog's directory")
    if "locked" in text:
        return Unavailable(f"{doing}: the catalog is busy", fix="try again")
    if any(sign in text for sign in ("malformed", "not a database", "no such table", "no such column")):
        return Corrupt(f"{doing}: the catalog is damaged: {text}", fix=MISSING)
    if "UNIQUE" in text:
        return Conflict(f"{doing}: somebody else made the same name first", fix="try again")
    return Unavailable(f"{doing}: {text}", fix=SEE_TO_DISK)


def _is_full(path: Path) -> bool:
    """Whether there is no room for SQLite's own files, which it reports as an I/O error."""
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _ROOM
