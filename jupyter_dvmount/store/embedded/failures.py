"""Errors of the disk and of SQLite as errors of the store."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_dvmount.store.base import Conflict, Corrupt, Denied, StoreError, Unavailable

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_ROOM_FOR_SQLITE = 128 << 10
_SEE_TO_DISK = "see that the store's disk is well and has space and quota left"
_FREE_SPACE = "free some space and try again; nothing was changed"


def from_os(error: OSError, doing: str) -> StoreError:
    """The store's error for an error of the operating system while ``doing`` something."""
    if error.errno in _FULL:
        return Unavailable(f"{doing}: disk full", fix=_FREE_SPACE)
    if error.errno in _FORBIDDEN:
        return Denied(f"{doing}: {error.strerror}", fix="mend the permissions of the store's directory")
    return Unavailable(f"{doing}: {error.strerror or error}", fix=_SEE_TO_DISK)


def from_sqlite(text: str, doing: str, catalog: Path) -> StoreError:
    """The store's error for a message of SQLite while ``doing`` something."""
    if "disk is full" in text or ("disk I/O error" in text and _is_full(catalog)):
        return Unavailable(f"{doing}: disk full", fix=_FREE_SPACE)
    if "readonly" in text or "authorization" in text:
        return Denied(f"{doing}: {text}", fix="mend the permissions of the store's directory")
    if "locked" in text:
        return Unavailable(f"{doing}: the catalog is busy", fix="try again")
    if "malformed" in text or "not a database" in text:
        return Corrupt(f"{doing}: the catalog is damaged: {text}", fix="restore catalog.sqlite from a backup")
    if "UNIQUE" in text:
        return Conflict(f"{doing}: somebody else made the same name first", fix="try again")
    return Unavailable(f"{doing}: {text}", fix=_SEE_TO_DISK)


def _is_full(path: Path) -> bool:
    """Whether there is no room for SQLite's own files, which it reports as an I/O error."""
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _ROOM_FOR_SQLITE


@contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turn an `OSError` in the block into the store's error."""
    try:
        yield
    except OSError as error:
        raise from_os(error, doing) from error
