"""A cache of files on the local disk: bounded, shared by processes, safe to delete at any time."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_TOUCH = 60.0
"""Seconds by which the order of use may be wrong: writing the time of each use would cost too much."""
_SLACK = 16  # one part in this many of the limit may be written between two looks at what is there
_KEPT = 0.9  # of the limit, after the oldest files were deleted
_log = logging.getLogger("jupyter_dvmount.store")


class DiskCache:
    """Files of a directory, least recently used first out. Thread-safe, and safe beside other processes.

    A file appears whole. What cannot be kept, since the disk is full or not writable, is not kept.

    Parameters
    ----------
    directory
        Where they are; made when it is needed, even if somebody has just deleted it.
    limit
        Bytes that are kept. Several processes that write at once may exceed it by a sixteenth each.
    """

    def __init__(self, directory: Path, limit: int) -> None:
        self.directory = directory
        self.limit = limit
        self._room = 0  # bytes that may be written before the next look
        self._lock = threading.Lock()

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes | None:
        """A range of a file, fewer bytes only at its end; None if it is not there."""
        try:
            fd = os.open(self.directory / name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            found = os.fstat(fd)
            if found.st_mtime < time.time() - _TOUCH:
                os.utime(fd)
            return os.pread(fd, found.st_size if length is None else length, offset)
        except OSError:
            return None
        finally:
            os.close(fd)

    def holds(self, name: str) -> bool:
        """Whether a file is there; that is a use of it."""
        path = self.directory / name
        try:
            if path.stat().st_mtime < time.time() - _TOUCH:
                os.utime(path)
        except OSError:
            return False
        return True

    def write(self, name: str, data: bytes) -> bool:
        """Keep a file if that is possible; whether it was."""
        if len(data) > self.limit:
            return False
        fresh = self.directory / f".{uuid.uuid4().hex}"
        try:
            self._make_room(len(data))
            try:
                fresh.write_bytes(data)
            except FileNotFoundError:
                private_directory(self.directory)
                fresh.write_bytes(data)
            fresh.rename(self.directory / name)
        except OSError as error:
            _log.debug("cannot keep %s in the cache: %s", name, error)
            with suppress(OSError):
                fresh.unlink()
            return False
        return True

    def drop(self, name: str) -> None:
        """Delete a file, if it is there."""
        with suppress(OSError):
            (self.directory / name).unlink()

    def size(self) -> int:
        """Bytes of the files."""
        return sum(file.size for file in self._files())

    def _make_room(self, size: int) -> None:
        with self._lock:
            if self._room < size:
                self._room = max(min(self._trim(size), self.limit // _SLACK), size)
            self._room -= size

    def _trim(self, size: int) -> int:
        """Delete the files used longest ago, where ``size`` more bytes would be too much; the bytes left."""
        files = self._files()
        total = sum(file.size for file in files)
        if total + size <= self.limit:
            return self.limit - total
        for file in sorted(files):
            if total + size <= _KEPT * self.limit:
                break
            self.drop(file.name)
            total -= file.size
        return self.limit - total

    def _files(self) -> list[_File]:
        files = []
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.directory) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # somebody else has deleted it
                    found = entry.stat(follow_symlinks=False)
                    files.append(_File(found.st_mtime, entry.name, found.st_size))
        return files


class _File(NamedTuple):
    """A file, in the order of use."""

    used: float
    name: str
    size: int


def private_directory(path: Path) -> None:
    """Make a directory with its parents, those of the application readable by its user only."""
    path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
