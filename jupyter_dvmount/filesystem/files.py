"""Open files: reading straight from a commit, and writing that becomes a commit when the file is closed."""

from __future__ import annotations

import io
from collections.abc import Callable
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Any

from typing_extensions import Buffer

from jupyter_dvmount.store import CommitReader, FileInfo
from jupyter_dvmount.store.stream import FileStream

from .changes import Change, Place
from .errors import os_errors

READ_BUFFER = 128 << 10
"""Bytes read at once where the caller does not say: less than a chunk, so that a range costs its chunks."""
_IN_MEMORY = 8 << 20  # bytes of a file being written before they go to a temporary file


class _Stream(FileStream):
    def readinto(self, buffer: Buffer) -> int:
        with os_errors():
            return super().readinto(buffer)


class ReadFile(io.BufferedReader):
    """A file of a commit; seekable.

    Parameters
    ----------
    reader, file
        The commit and the file of it.
    details
        What `DvmFileSystem.info` says of it.
    block_size
        Bytes of the buffer.
    """

    def __init__(
        self, reader: CommitReader, file: FileInfo, details: dict[str, Any], block_size: int | None
    ) -> None:
        super().__init__(_Stream(reader, file), block_size or READ_BUFFER)
        self.details = details
        self.path = details["name"]
        self.size = file.size

    def info(self) -> dict[str, Any]:
        """What `DvmFileSystem.info` says of it."""
        return self.details


class WriteFile(io.BufferedIOBase):
    """A file being written, which exists nowhere before it is closed.

    Parameters
    ----------
    place, path
        Where it goes.
    append
        Whether it is added to the file of that name.
    start
        Bytes that are there already.
    close_with
        Makes the commit, when the file is closed; None if a transaction does.
    """

    def __init__(
        self,
        place: Place,
        path: str,
        *,
        append: bool,
        start: int,
        close_with: Callable[[list[Change]], None] | None,
    ) -> None:
        self.path = f"{place.repo}@{place.branch}{path}"
        self.mode = "ab" if append else "wb"
        self._place = place
        self._path = path
        self._append = append
        self._start = start
        self._close_with = close_with
        self._discarded = False
        self._spool = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - lives as long as the file

    def writable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Unless it is appended to."""
        return not self._append

    def write(self, data: Buffer) -> int:
        """Add bytes where the file stands."""
        self._check_open()
        return self._spool.write(memoryview(data).cast("B"))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Stand somewhere else in what was written."""
        self._check_open()
        if self._append:
            raise io.UnsupportedOperation("a file that is appended to cannot seek")
        self._spool.seek(offset, whence)
        return self._spool.tell()

    def tell(self) -> int:
        """Where the file stands."""
        self._check_open()
        return self._start + self._spool.tell()

    def truncate(self, size: int | None = None) -> int:
        """Cut off what was written behind ``size``, by default behind where the file stands."""
        self._check_open()
        if self._append:
            raise io.UnsupportedOperation("a file that is appended to cannot be cut")
        self._spool.truncate(self._spool.tell() if size is None else size)
        return self._spool.tell() if size is None else size

    def close(self) -> None:
        """Commit what was written, or leave that to the transaction."""
        if self.closed:
            return
        super().close()
        if self._close_with is None:
            return
        try:
            self._close_with(self.changes())
        finally:
            self.discard()

    def discard(self) -> None:
        """Forget what was written."""
        self._discarded = True
        super().close()
        self._spool.close()

    def changes(self) -> list[Change]:
        """What writing the file means, once it is closed."""
        if self._discarded:
            return []
        if not self.closed:
            raise OSError(f"{self.path} is still open at the end of its transaction; close it before")
        self._spool.seek(0)
        return [
            Change(self._place, lambda writer: writer.put(self._path, self._spool, append=self._append))  # type: ignore[arg-type]  # it has read()
        ]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.discard()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")
