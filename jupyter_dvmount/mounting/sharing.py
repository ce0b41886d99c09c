"""Files that the copy of another commit has already: cloned where the file system can, else linked."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

from dvmount_fuse.layout import parse_commit_directory
from jupyter_dvmount.store import CommitReader, FileInfo, StoreError

log = logging.getLogger("jupyter_dvmount.mounting")

OpenCommit = Callable[[str, str], CommitReader]
"""Opens a commit by repository and id."""

_FICLONE = 0x40049409  # linux/fs.h
_CANNOT = {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EMLINK, errno.EPERM}
_SECOND = 10**9


class Copied:
    """The copy of one commit, as a source for that of another.

    Parameters
    ----------
    root
        Its directory.
    reader
        Of its commit.
    """

    def __init__(self, root: Path, reader: CommitReader) -> None:
        self._root = root
        self._reader = reader

    def has(self, file: FileInfo) -> bool:
        """Whether a file of the same content was copied to the same path, and nobody has touched it since.

        Copies are given times of whole seconds, which a later write would not be.
        """
        known = self._reader.lookup(file.path)
        if known is None or known.hash != file.hash:
            return False
        try:
            status = self._path(file).lstat()
        except OSError:
            return False
        return (
            stat.S_ISREG(status.st_mode)
            and not status.st_mode & 0o222
            and status.st_size == file.size
            and status.st_mtime_ns % _SECOND == 0
        )

    def give(self, file: FileInfo, path: Path) -> bool:
        """Put the file at a new path without copying its bytes; whether that was possible.

        A clone is a file of its own; a link has the time at which its content was first copied.
        """
        source = self._path(file)
        try:
            return _clone(source, path) or _link(source, path)
        except FileNotFoundError:  # unmounted meanwhile
            return False

    def _path(self, file: FileInfo) -> Path:
        return self._root / file.path.lstrip("/")


def find_copied(directory: Path, repo: str, open_commit: OpenCommit) -> Copied | None:
    """The newest copy of a commit of a repository, or None.

    Parameters
    ----------
    directory
        Of the copies of one store.
    """
    found = []
    for place in directory.glob("*@*"):
        parsed = parse_commit_directory(place.name)
        if parsed is not None and parsed[0] == repo:
            found.append((place.stat().st_mtime, parsed[1], place))
    if not found:
        return None
    _, commit, newest = max(found)
    try:
        return Copied(newest, open_commit(repo, commit))
    except StoreError as error:
        log.debug("%s is no source of files: %s", newest, error.message)
        return None


def _clone(source: Path, path: Path) -> bool:
    with source.open("rb") as original, path.open("xb") as copy:
        try:
            fcntl.ioctl(copy, _FICLONE, original.fileno())
            return True
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
    path.unlink()
    return False


def _link(source: Path, path: Path) -> bool:
    try:
        os.link(source, path, follow_symlinks=False)
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
    return True
