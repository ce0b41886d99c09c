"""Connections to PostgreSQL that end in bounded time, and what the server says as errors of the store."""

from __future__ import annotations

from collections.abc import Callable, Generator
from time import monotonic
from typing import Any, TypeVar

import psycopg
from sqlalchemy.exc import DBAPIError

from jupyter_dvmount.store.embedded.machine.failures import FREE_SPACE
from jupyter_dvmount.store.errors import Conflict, Corrupt, Denied, Invalid, StoreError, Unavailable

from .base import BUSY_SECONDS, MISSING, Overtaken

R = TypeVar("R")
_SILENCE = 10.0  # seconds without a byte of an answer after which we ask whether the server still lives
_PATIENCE = 10  # seconds for a connection to be made
_LONGEST = 1_800  # seconds that the server works on one statement
_OPTIONS: dict[str, Any] = {
    "connect_timeout": _PATIENCE,
    "keepalives_idle": 10,  # the other machine may be gone without a word
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    "client_encoding": "utf8",
    "application_name": "dvmount",
}
_SETTINGS = {
    "lock_timeout": f"{BUSY_SECONDS}s",
    "statement_timeout": f"{_LONGEST}s",
    "idle_in_transaction_session_timeout": f"{_LONGEST}s",
}
_SET = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS settings (name, value)"
_DURABLE = (  # some databases are set to tell of commits before the disk has them
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)
_SEE_TO_SERVER = "see that PostgreSQL runs and can be reached, then try again"
_CREDENTIALS = "set PGUSER and PGPASSWORD, or make an entry in ~/.pgpass, or name another user in catalog="
_FORBIDDEN = "let the database's owner give this user a schema: CREATE SCHEMA … AUTHORIZATION …"
_WRONG_LOGIN = ("authentication failed", "no password supplied", "no pg_hba.conf entry", 'role "')


class _Silent(psycopg.OperationalError):
    """The server has kept the connection, and answers nobody."""


class _Connection(psycopg.Connection[Any]):
    """A connection that notices that its server has stopped working while it waits for an answer.

    A server that is frozen keeps its connections, and a long statement may be silent for minutes: so the
    question is whether the server still accepts others.
    """

    probe: Callable[[], None] | None = None

    def wait(self, gen: Generator[Any, Any, R], *args: Any, **options: Any) -> R:
        """Wait for the end of what psycopg does."""
        return super().wait(self._watched(gen), *args, **options)

    def _watched(self, steps: Generator[Any, Any, R]) -> Generator[Any, Any, R]:
        heard = monotonic()
        try:
            waits_for = next(steps)
            while True:
                ready = yield waits_for
                if ready:
                    heard = monotonic()
                elif monotonic() - heard > _SILENCE:
                    self._see_that_it_lives()
                    heard = monotonic()
                waits_for = steps.send(ready)
        except StopIteration as end:
            result: R = end.value
            return result

    def _see_that_it_lives(self) -> None:
        try:
            if self.probe is not None:
                self.probe()
        except psycopg.OperationalError as error:
            self.pgconn.finish()  # whatever still comes, comes too late
            raise _Silent("the server does not answer") from error


def connect(options: dict[str, Any]) -> psycopg.Connection[Any]:
    """A new connection with the options that libpq knows, and time limits where they say nothing else."""
    options = _OPTIONS | options

    def probe() -> None:
        psycopg.connect(**options).close()

    connection = _Connection.connect(**options)
    connection.probe = probe
    connection.autocommit = True
    connection.execute(_SET, [list(_SETTINGS), list(_SETTINGS.values())])
    connection.execute(_DURABLE)
    return connection


def is_lost(error: BaseException | None) -> bool:
    """Whether an error means that the connection is no more."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or is_lost(error.orig)
    state = getattr(error, "sqlstate", None) or ""
    return isinstance(error, psycopg.OperationalError) and (
        not state or state.startswith("08") or state in {"57P01", "57P02", "57P03", "25P03", "57P05"}
    )


def is_stale(error: BaseException | None) -> bool:
    """Whether a connection is no more, and a new one may work at once."""
    driver_error = error.orig if isinstance(error, DBAPIError) else error
    return is_lost(error) and not isinstance(driver_error, _Silent)


def translate(error: BaseException | None, doing: str, name: str) -> StoreError:
    """The store's error for one of psycopg while ``doing`` something with the catalog ``name``."""
    state: str = getattr(error, "sqlstate", None) or ""
    text = (str(error).strip().splitlines() or ["no reason given"])[0]
    known = _STATES.get(state) or _STATES.get(state[:2])
    if known is not None:
        kind, reason, fix = known
        return kind(f"{doing}: {reason or text}", fix=fix)
    if is_lost(error):
        if any(hint in str(error) for hint in _WRONG_LOGIN):
            return Denied(f"{doing}: {name} refuses the login: {_server_words(text)}", fix=_CREDENTIALS)
        return Unavailable(f"{doing}: {name} cannot be reached: {_server_words(text)}", fix=_SEE_TO_SERVER)
    if isinstance(error, psycopg.DataError):
        return Invalid(f"{doing}: {text}", fix="use text without NUL characters and numbers below 2^63")
    return Unavailable(f"{doing}: {text}", fix=_SEE_TO_SERVER)


def _server_words(text: str) -> str:
    """What libpq says after the addresses that it tried."""
    return text.rpartition("FATAL:")[2].strip() or text


_STATES: dict[str, tuple[type[StoreError], str, str]] = {
    "22": (Invalid, "", "use text without NUL characters and numbers below 2^63"),
    "23505": (Conflict, "somebody else made the same name first", "try again"),
    "25006": (Unavailable, "the server is read-only", "name the primary server in catalog="),
    "28": (Denied, "", _CREDENTIALS),
    "40": (Overtaken, "other writers were in the way", "try again"),
    "42501": (Denied, "", _FORBIDDEN),
    "42P01": (Corrupt, "", MISSING),
    "53100": (Unavailable, "disk full on the catalog's server", FREE_SPACE),
    "53300": (Unavailable, "the server has no connection left", "try again, or raise its max_connections"),
    "55P03": (Unavailable, "the catalog is busy", "try again"),
    "57014": (Unavailable, "the server took too long", "try again"),
    "XX001": (Corrupt, "", "see to the server's disk, and restore the database from a backup"),
    "XX002": (Corrupt, "", "REINDEX the tables, or restore the database from a backup"),
}
