"""Locks between processes, with errors that users can read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from filelock import FileLock, Timeout

from jupyter_dvmount.store import Unavailable

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
                raise Unavailable(
                    f"another process has been changing mounts for {patience:.0f} s",
                    fix=f"end it (fuser {path} names it), then try again",
                )
            if waiting is not None:
                waiting()
    except OSError as error:
        raise Unavailable(
            f"cannot lock {path}: {error.strerror or error}", fix="see to the disk and its permissions"
        ) from error
    try:
        yield
    finally:
        lock.release()


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
