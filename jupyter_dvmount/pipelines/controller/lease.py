"""One controller at a time: who holds the lease schedules, and everybody else waits or goes."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Protocol
from zlib import crc32

from sqlalchemy import Connection, text

from jupyter_dvmount.pipelines.jobs.database import Database
from jupyter_dvmount.store import Unavailable

PATIENCE = 1.0
"""Seconds in which another process that only looks lets go of the lease."""
START = 10.0
"""Seconds in which a controller that was started says that it has the lease."""
_STEP = 0.05


class Lease(Protocol):
    """What one controller has at a time; its process's end, however it comes, gives it back."""

    def take(self) -> bool:
        """Take it if nobody has it, at once."""

    def is_valid(self) -> bool:
        """Whether it is still held: a connection to a database may have been lost."""

    def sign(self) -> None:
        """Let others know whose it is."""

    def release(self) -> None:
        """Give it back; idempotent."""


class FileLease:
    """A lock on a file beside the database, of this machine.

    Parameters
    ----------
    path
        The file.
    descriptor
        The open and locked file, from a process that has taken the lease for this one.
    """

    def __init__(self, path: Path, descriptor: int | None = None) -> None:
        self._path = path
        self._descriptor = descriptor
        if descriptor is not None:
            os.set_inheritable(descriptor, False)  # else it would last as long as what the controller starts

    @property
    def descriptor(self) -> int | None:
        """The open and locked file, which a child process can be given."""
        return self._descriptor

    def take(self) -> bool:
        """Take it if nobody has it, at once."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(
                f"cannot use {self._path}: {error.strerror}", fix="see to the disk and its permissions"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        self._descriptor = descriptor
        return True

    def sign(self) -> None:
        """Write down which process has it."""
        if self._descriptor is not None:
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def is_valid(self) -> bool:
        """Whether it is still held."""
        return self._descriptor is not None

    def release(self) -> None:
        """Give it back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class AdvisoryLease:
    """An advisory lock of PostgreSQL, which lasts as long as its connection."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._key = crc32(b"dvmount controller")
        self._connection: Connection | None = None

    def take(self) -> bool:
        """Take it if nobody has it, at once."""
        self.release()
        with self._database.translated("cannot take the lease of"):
            connection = self._database.engine.connect()
            query = text("SELECT pg_try_advisory_lock(:key)")
            taken: bool = connection.execute(query, {"key": self._key}).scalar_one()
            connection.commit()
        if taken:
            self._connection = connection
        else:
            connection.close()
        return taken

    def is_valid(self) -> bool:
        """Whether it is still held."""
        if self._connection is None:
            return False
        try:
            self._connection.execute(text("SELECT 1"))
            self._connection.commit()
        except Exception:  # noqa: BLE001 - whatever it is, the lock may be gone with the connection
            return False
        return True

    def sign(self) -> None:
        """Nothing to do: the server knows."""

    def release(self) -> None:
        """Give it back."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def lease_of(database: Database, descriptor: int | None = None) -> FileLease | AdvisoryLease:
    """The lease on a database; not taken yet, or taken for this process with a ``descriptor``."""
    path = database.path
    return AdvisoryLease(database) if path is None else FileLease(path.with_suffix(".lock"), descriptor)


def take(lease: Lease, patience: float = PATIENCE) -> bool:
    """Take a lease, waiting some seconds for those who only look."""
    deadline = time.monotonic() + patience
    while not lease.take():
        if time.monotonic() > deadline:
            return False
        time.sleep(_STEP)
    return True


def holder(database: Database, patience: float = START) -> int | None:
    """Process id of the controller that works on this database on this machine; None if none does."""
    path = database.path
    deadline = time.monotonic() + patience
    while path is not None and is_held(database):
        text = path.with_suffix(".lock").read_text()
        if text.endswith("\n"):
            return int(text)
        if time.monotonic() > deadline:
            break
        time.sleep(_STEP)  # it is being started
    return None


def is_held(database: Database) -> bool:
    """Whether a controller works on this database now."""
    lease = lease_of(database)
    if lease.take():
        lease.release()
        return False
    return True
