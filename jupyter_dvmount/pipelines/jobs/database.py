"""Connections to the database of jobs: transactions, settings, errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from sqlalchemy import Connection, Engine, create_engine, event, func, insert, inspect, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry
from typing_extensions import Self

from jupyter_dvmount.config import Config
from jupyter_dvmount.store import Conflict, Denied, Invalid, StoreError, Unavailable, VersionStore

from .schema import VERSION, about, metadata

_BUSY_SECONDS = 30
_CACHE_KIB = 16 << 10
_LOG_PAGES = 8000  # of 4 KiB, after which the log is copied into the database
_ID = 1  # of the only row of table about
_MAKING = 0x64766D_6A6F6273  # key of PostgreSQL's lock: one process makes the tables


class Superseded(Conflict):
    """Another controller has taken over: this one must not write any more."""


class Database:
    """The database of one store's pipelines. Thread-safe.

    Parameters
    ----------
    url
        ``sqlite:////path`` or ``postgresql+psycopg://…``.
    store
        Id of the store whose pipelines are in it.

    Raises
    ------
    Invalid, Conflict, Unavailable
        If it cannot be used: the URL is none, it belongs to another store, or has another version.
    """

    def __init__(self, url: str, store: str) -> None:
        self._engine = _engine(url)  # first: it refuses what is no URL
        self.url = make_url(url).render_as_string()
        with self.translated("cannot open"):
            self._prepare(store)

    @property
    def engine(self) -> Engine:
        """What makes connections."""
        return self._engine

    @property
    def path(self) -> Path | None:
        """The file, if it is one."""
        name = self._engine.url.database
        return Path(name) if self._engine.dialect.name == "sqlite" and name else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection with a consistent view, for reading."""
        with self.translated("cannot read"), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, epoch: int | None = None) -> Iterator[Connection]:
        """A transaction, to be kept short: one at a time, whichever process it is of.

        Writers wait for each other before they begin, in PostgreSQL as in SQLite. They would else meet in
        the middle, each waiting for a row of the other's.

        Parameters
        ----------
        epoch
            Of a controller's lease; nothing is written if it is not the newest any more.

        Raises
        ------
        Superseded
            If another controller has taken over.
        """
        with self._transaction() as connection:
            newest = connection.execute(select(about.c.epoch).with_for_update()).scalar_one()
            if epoch is not None and newest != epoch:
                raise Superseded("another controller has taken over", fix="let it work")
            yield connection

    def begin_epoch(self) -> int:
        """Begin a new epoch: writes of earlier controllers fail from now on."""
        with self.write() as connection:
            statement = update(about).values(epoch=about.c.epoch + 1).returning(about.c.epoch)
            epoch: int = connection.execute(statement).scalar_one()
        return epoch

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self.translated("cannot write"), self._engine.connect() as connection:
            connection.execution_options(writing=True)
            with connection.begin():
                yield connection

    def _prepare(self, store: str) -> None:
        if not inspect(self._engine).has_table(about.name):
            with self._transaction() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(select(func.pg_advisory_xact_lock(_MAKING)))
                metadata.create_all(connection)
                if connection.execute(select(about.c.id)).one_or_none() is None:
                    first = {"id": _ID, "version": VERSION, "store": store, "epoch": 0, "wishes": 0}
                    connection.execute(insert(about).values(first))
        with self.read() as connection:
            held = connection.execute(select(about.c.version, about.c.store)).one()
        if held.version != VERSION:
            fix = "update jupyter-dvmount" if held.version > VERSION else "move it away: it is made anew"
            raise Unavailable(
                f"the database of jobs {self.url} has version {held.version}, this program knows {VERSION}",
                fix=fix,
            )
        if held.store != store:
            raise Conflict(
                f"the database of jobs {self.url} belongs to another store",
                fix="set DVMOUNT_JOBS to a database of its own for each store",
            )

    @contextmanager
    def translated(self, doing: str) -> Iterator[None]:
        """Turn an error of the database in the block into one that people can read."""
        try:
            yield
        except IntegrityError as error:
            raise Conflict(f"{doing} the database of jobs: {error.orig}", fix="try again") from error
        except DBAPIError as error:
            raise _failure(f"{doing} the database of jobs {self.url}", str(error.orig)) from error


def open_database(config: Config, store: VersionStore) -> Database:
    """The database of a store's pipelines, made if it is missing.

    Raises
    ------
    StoreError
        If it cannot be used.
    """
    if config.jobs:
        return Database(config.jobs, store.id)
    path = _file(config, store)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"cannot make {path.parent}: {error.strerror}", fix="see to the disk and its permissions"
        ) from error
    return Database(f"sqlite:///{path}", store.id)


def has_database(config: Config, store: VersionStore) -> bool:
    """Whether a store may have pipelines: their database is there, or is on a server."""
    return bool(config.jobs) or _file(config, store).exists()


def _file(config: Config, store: VersionStore) -> Path:
    return config.state / "pipelines" / f"{store.id}.sqlite"


def _engine(url: str) -> Engine:
    try:
        if make_url(url).get_backend_name() != "sqlite":
            return create_engine(url, pool_pre_ping=True)
        engine = create_engine(
            url,
            connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False, "isolation_level": None},
            max_overflow=-1,
        )
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise Invalid(
            f"cannot use {url.partition(':')[0]!r} as database of jobs: {error}",
            fix="set DVMOUNT_JOBS to postgresql+psycopg://USER@HOST/DATABASE, or leave it out",
        ) from error
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # What a power failure takes is done again: outputs are in the store, which syncs.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")


def _begin(connection: Connection) -> None:
    # pysqlite's own BEGIN comes too late for reads and too weak for writes.
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _failure(doing: str, text: str) -> StoreError:
    reason = text.strip().partition("\n")[0]
    if "disk is full" in reason:
        return Unavailable(f"{doing}: disk full", fix="free some space")
    if "readonly" in reason or "unable to open" in reason or "permission denied" in reason:
        return Denied(f"{doing}: {reason}", fix="mend the permissions of its directory")
    if "locked" in reason:
        return Unavailable(f"{doing}: it is busy", fix="try again")
    return Unavailable(f"{doing}: {reason}", fix="see that it is running and its disk is well")
