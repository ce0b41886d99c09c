"""Users of fsspec expect the exceptions of ``open()``."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from jupyter_dvmount.store import StoreError

_ERRNO = {
    "not_found": errno.ENOENT,
    "already_exists": errno.EEXIST,
    "conflict": errno.EBUSY,
    "invalid": errno.EINVAL,
    "commit_finished": errno.EACCES,
    "corrupt": errno.EIO,
    "denied": errno.EACCES,
    "unavailable": errno.EIO,
}
"""errno by `StoreError.code`; Python makes `FileNotFoundError`, `PermissionError` … of it."""


def os_error(number: int, message: str, fix: str = "") -> OSError:
    """The exception for an errno, with what happened and what to do."""
    return OSError(number, f"{message}; {fix}" if fix else message)


@contextmanager
def os_errors() -> Iterator[None]:
    """Raise the errors of the store as those of the operating system."""
    try:
        yield
    except StoreError as error:
        raise os_error(_ERRNO.get(error.code, errno.EIO), error.message, error.fix) from error
