"""Errors of the disk as errors of the store."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from jupyter_dvmount.store.errors import Denied, StoreError, Unavailable

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
SEE_TO_DISK = "see that the store's disk is well and has space and quota left"
FREE_SPACE = "free some space and try again; nothing was changed"


def from_os(error: OSError, doing: str) -> StoreError:
    """The store's error for an error of the operating system while ``doing`` something."""
    if error.errno in _FULL:
        return Unavailable(f"{doing}: disk full", fix=FREE_SPACE)
    if error.errno in _FORBIDDEN:
        return Denied(f"{doing}: {error.strerror}", fix="mend the permissions of the store's directory")
    return Unavailable(f"{doing}: {error.strerror or error}", fix=SEE_TO_DISK)


@contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turn an `OSError` in the block into the store's error."""
    try:
        yield
    except OSError as error:
        raise from_os(error, doing) from error
