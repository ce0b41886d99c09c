"""A file of a commit as a stream, whatever the engine."""

from __future__ import annotations

import io

from typing_extensions import Buffer

from .model import FileInfo
from .protocol import CommitReader


class FileStream(io.RawIOBase):
    """A file as a seekable, read-only, unbuffered stream.

    Parameters
    ----------
    reader, file
        The commit and the file of it.
    """

    def __init__(self, reader: CommitReader, file: FileInfo) -> None:
        self._reader = reader
        self._file = file
        self._offset = 0
        self.name = file.path

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Read on from where the stream stands."""
        self._check_open()
        count = self._reader.readinto(self._file, buffer, self._offset)
        self._offset += count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Stand somewhere else, maybe behind the end."""
        self._check_open()
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self._file.size}[whence]
        if start + offset < 0:
            raise ValueError(f"negative seek position {start + offset}")
        self._offset = start + offset
        return self._offset

    def tell(self) -> int:
        """Where the stream stands."""
        return self._offset

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")
