"""Locks between processes, with errors that users can read."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from filelock import FileLock, Timeout

from jupyter_dvmount.store import Unavailable

_PAUSE = 0.005
_BEAT = 0.5
"""Seconds between two calls of ``waiting``."""


@contextmanager
def exclusive(
    path: Path, *, patience: float | None = None, waiting: Callable[[], object] | None = None
) -> Iterator[None]:
    """Keep every other thread and process out.

    Parameters
    ----------
    path
        The lock's file.
    patience
        Seconds to wait for it; for ever if not given.
    waiting
        Called now and then while somebody else has it; may raise to give up.

    Raises
    ------
    Unavailable
        If it cannot be had in time, or not at all.
    """
    lock = FileLock(path)
    begin = monotonic()
    try:
        while not _acquired(lock, _BEAT if patience is None else min(_BEAT, patience)):
            if patience is not None and monotonic() - begin >= patience:
                raise _busy(path, patience)
            if waiting is not None:
                waiting()
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def heritable(path: Path, *, patience: float) -> Iterator[int]:
    """As `exclusive`, for a process that is started meanwhile to go on holding it.

    Yields
    ------
    int
        The descriptor that holds the lock; it is free when all who have inherited it have closed it, too.

    Raises
    ------
    Unavailable
        If it cannot be had in time, or not at all.
    """
    begin = monotonic()
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        while not _locked(descriptor, path):
            if monotonic() - begin > patience:
                raise _busy(path, patience)
            sleep(_PAUSE)
        yield descriptor
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether some thread or process holds a lock now."""
    try:
        with exclusive(path, patience=0):
            return False
    except Unavailable:
        return True


def _acquired(lock: FileLock, seconds: float) -> bool:
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        return False
    return True


def _locked(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _unusable(path, error) from error
    return True


def _busy(path: Path, patience: float) -> Unavailable:
    return Unavailable(
        f"another process has been changing mounts for {patience:.0f} s",
        fix=f"end it (fuser {path} names it), then try again",
    )


def _unusable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"cannot lock {path}: {error.strerror or error}", fix="see to the disk and its permissions"
    )
