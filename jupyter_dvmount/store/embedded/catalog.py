"""Connections to the catalog: transactions, settings, errors."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, create_engine, event, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from jupyter_dvmount.store.base import Conflict, Invalid, Unavailable

from .failures import from_sqlite
from .layout import is_on_network
from .schema import VERSION, metadata, store

_BUSY_SECONDS = 60


class Catalog:
    """The SQLite catalog of one store. Thread-safe; every thread has connections of its own.

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
        self._engine = create_engine(
            f"sqlite:///{path}",
            connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False, "isolation_level": None},
            pool_size=4,
            max_overflow=-1,  # callers bound their threads; waiting for a connection could only deadlock
        )
        event.listen(self._engine, "connect", self._configure)
        event.listen(self._engine, "begin", _begin)
        self._closed = False
        self._local = threading.local()
        self._readers: weakref.WeakSet[sqlite3.Connection] = weakref.WeakSet()

    def create(self, id_: str) -> str:
        """Make the tables of a store, if they are missing; returns the id of the store they belong to."""
        with self.write("cannot make the catalog") as connection:
            metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
            held: str | None = connection.execute(select(store.c.id)).scalar_one_or_none()
            if held is None:
                connection.execute(insert(store).values(id=id_, epoch=0))
        return held or id_

    def check(self) -> None:
        """Refuse a catalog of another version."""
        with self.read("cannot open the catalog") as connection:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version != VERSION:
            raise Unavailable(
                f"the catalog {self._path} has version {version}, this program knows {VERSION}",
                fix="update jupyter-dvmount" if version > VERSION else "restore catalog.sqlite from a backup",
            )

    @contextmanager
    def read(self, doing: str = "cannot read the catalog") -> Iterator[Connection]:
        """A connection with a consistent view, for reading."""
        self._check_open()
        with self.translated(doing), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, doing: str = "cannot write the catalog") -> Iterator[Connection]:
        """A transaction that holds the write lock from its start: keep it short."""
        self._check_open()
        with self.translated(doing), self._engine.connect() as connection:
            connection.execution_options(writing=True)
            with connection.begin():
                yield connection

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """Let one process at a time do something; the lock ends with the process.

        Raises
        ------
        Conflict
            If another one is doing it.
        """
        lock = FileLock(self._path.with_name(f"{what}.lock"), timeout=0)
        try:
            with lock:
                yield
        except Timeout as error:
            raise Conflict(f"another 'dvmount {what}' is running", fix="wait until it has ended") from error

    @property
    def reader(self) -> sqlite3.Connection:
        """This thread's plain connection for hot look-ups; it cannot write."""
        self._check_open()
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self._path,
                timeout=_BUSY_SECONDS,
                check_same_thread=False,
                isolation_level=None,
                factory=_Reader,
            )
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            self._readers.add(connection)
        return connection

    @contextmanager
    def translated(self, doing: str) -> Iterator[None]:
        """Turn an error of the database in the block into the store's error."""
        try:
            yield
        except DBAPIError as error:
            raise from_sqlite(str(error.orig), doing, self._path) from error
        except sqlite3.Error as error:
            raise from_sqlite(str(error), doing, self._path) from error
        except (UnicodeEncodeError, OverflowError) as error:  # no text or number that a column can hold
            raise Invalid(f"{doing}: {error}", fix="use UTF-8 text and numbers below 2^63") from error

    def close(self) -> None:
        """Close every connection; the catalog cannot be used any more."""
        self._closed = True
        self._engine.dispose()
        for connection in list(self._readers):
            connection.close()
        self._local = threading.local()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the store is closed", fix="open it again")
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


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1


def _begin(connection: Connection) -> None:
    # pysqlite's own BEGIN comes too late for reads and too weak for writes.
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
