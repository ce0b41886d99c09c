"""Where FUSE does not work: the commit's files copied out, read-only, behind the same kind of link."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from dvmount_fuse.layout import State
from jupyter_dvmount.store import CommitReader, Corrupt, FileInfo, Progress, Unavailable

from .locks import exclusive
from .sharing import Copied, OpenCommit, find_copied

log = logging.getLogger("jupyter_dvmount.mounting")

FILE_MODE = 0o444
DIRECTORY_MODE = 0o555
BLOCK = 1 << 20
"""Bytes copied at once."""
SLACK = 64 << 20
"""Bytes that are left free on the disk."""
_ROOM = "make room, set DVMOUNT_STATE to a larger disk, or make FUSE work (dvmount doctor)"
_PER_FILE = 4096  # what a file takes beyond its content: the rest of its last block, and its inode


class Checkouts:
    """The commits copied out below a state directory.

    Parameters
    ----------
    state
        The state directory; prepared.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def materialise(
        self, store: str, reader: CommitReader, open_commit: OpenCommit, progress: Progress | None = None
    ) -> Path:
        """Directory with the files of a commit; copied unless another mount has them already.

        Parameters
        ----------
        store
            Id of the store.
        reader
            Of the commit.
        open_commit
            Opens other commits of the store, whose copies may have some of the files already.
        progress
            Told (files, bytes) done; may raise to cancel, and then nothing is left behind.

        Raises
        ------
        Unavailable
            If there is not enough room or the disk fails.
        Corrupt
            If the store does not give back what was put.
        """
        commit = reader.commit
        target = self._state.checkout_target(store, commit.repo, commit.id)
        with self._lock(store, target.name, progress):
            if not target.is_dir():
                copied = find_copied(target.parent, commit.repo, open_commit)
                self._check_room(reader, copied)
                self._copy(reader, target, copied, progress)
        return target

    def retire(self, target: Path) -> Path:
        """Take a checkout out of use at once; what is returned is for `discard`, which may take long."""
        doomed = self._temporary()
        with suppress(FileNotFoundError):
            target.chmod(0o700)  # moving a directory rewrites its "..", which needs write permission
            target.rename(doomed)
        return doomed

    def unused(self, targets: Iterable[str]) -> list[Path]:
        """Checkouts that none of these mounts has as its target, and what killed copies have left behind."""
        known = set(targets)
        copies = [path for path in self._state.checkouts.glob("*/*") if str(path) not in known]
        begun = self._state.tmp.glob("checkout.*")
        return [*copies, *(path for path in begun if not _is_alive(path.name.split(".")[1]))]

    @contextmanager
    def _lock(self, store: str, name: str, progress: Progress | None) -> Iterator[None]:
        """One process copies a commit, the others wait for it: copying twice would take longer."""
        locks = self._state.run / "checkouts"
        locks.mkdir(mode=0o700, exist_ok=True)
        waiting = None if progress is None else partial(progress, 0, 0)
        with exclusive(locks / f"{store[:8]}.{name[-32:]}.lock", waiting=waiting):
            yield

    def _temporary(self) -> Path:
        return self._state.tmp / f"checkout.{os.getpid()}.{os.urandom(6).hex()}"

    def _check_room(self, reader: CommitReader, copied: Copied | None) -> None:
        files, size = reader.usage()
        needed = size + files * _PER_FILE + SLACK
        free = shutil.disk_usage(self._state.checkouts).free
        self._check_names(reader.commit.repo, files)
        if needed > free and copied is not None:  # it takes a walk to know what is there already
            needed -= sum(info.size for info in reader.walk("/") if info.type == "file" and copied.has(info))
        if needed > free:
            raise Unavailable(
                f"copying {reader.commit.repo} needs {_mib(needed)} and {_mib(free)} are free "
                f"below {self._state.path}",
                fix=_ROOM,
            )

    def _check_names(self, repo: str, files: int) -> None:
        """Refuse where the file system has too few inodes left; some have no such number and say 0 of 0."""
        status = os.statvfs(self._state.checkouts)
        if status.f_files and files >= status.f_favail:
            raise Unavailable(
                f"copying {repo} makes {files:,} files and {status.f_favail:,} can still be made "
                f"below {self._state.path}",
                fix=_ROOM,
            )

    def _copy(
        self, reader: CommitReader, target: Path, copied: Copied | None, progress: Progress | None
    ) -> None:
        temporary = self._temporary()
        temporary.mkdir(mode=0o700)
        try:
            _Copy(reader, temporary, copied, progress).run()
            target.parent.mkdir(mode=0o700, exist_ok=True)
            temporary.chmod(0o700)  # to move it, see `retire`
            temporary.rename(target)
            target.chmod(DIRECTORY_MODE)
        except OSError as error:
            raise Unavailable(
                f"copying {reader.commit.repo} failed: {error.strerror or error}",
                fix="see to the disk, try again",
            ) from error
        finally:
            discard(temporary)


class _Copy:
    """Copies one commit into an empty directory."""

    def __init__(
        self, reader: CommitReader, root: Path, copied: Copied | None, progress: Progress | None
    ) -> None:
        self._reader = reader
        self._root = root
        self._copied = copied
        self._progress = progress
        self._files = self._bytes = 0
        self._buffer = bytearray(BLOCK)
        finished = reader.commit.finished or reader.commit.started
        self._mtime = int(finished.timestamp())

    def run(self) -> None:
        """Copy; directories are closed to writing at the end, the deepest first."""
        directories = [self._root]
        self._report()
        for info in self._reader.walk("/"):
            path = self._root / info.path.lstrip("/")  # store paths have no "..", and no links are made here
            if info.type == "dir":
                path.mkdir(mode=0o700)
                directories.append(path)
            else:
                self._provide_file(info, path)
        for directory in reversed(directories):
            os.utime(directory, (self._mtime, self._mtime))
            directory.chmod(DIRECTORY_MODE)

    def _provide_file(self, info: FileInfo, path: Path) -> None:
        if self._copied is not None and self._copied.has(info) and self._copied.give(info, path):
            self._bytes += info.size
        else:
            self._copy_file(info, path)
        if path.lstat().st_nlink == 1:  # the attributes of a link are those of the other copy, too
            path.chmod(FILE_MODE)
            os.utime(path, (self._mtime, self._mtime))
        self._files += 1
        self._report()

    def _copy_file(self, info: FileInfo, path: Path) -> None:
        view = memoryview(self._buffer)
        offset = 0
        with path.open("xb") as file:
            while offset < info.size:
                wanted = min(BLOCK, info.size - offset)
                got = self._reader.readinto(info, view[:wanted], offset)
                if got != wanted:
                    raise Corrupt(f"{info.path}: {offset + got} of {info.size} bytes are in the store")
                file.write(view[:wanted])
                offset += wanted
                self._bytes += wanted
                self._report()

    def _report(self) -> None:
        if self._progress is not None:
            self._progress(self._files, self._bytes)


def discard(directory: Path | None) -> None:
    """Delete a tree of read-only directories, if it is there."""
    if directory is None or not directory.is_dir():
        return
    found = [directory]  # without recursion, since trees may be deeper than that
    for place in found:  # each must be open before what is in it can be reached
        place.chmod(0o700)
        for path in place.iterdir():
            if path.is_dir() and not path.is_symlink():
                found.append(path)
            else:
                path.unlink()
    for place in reversed(found):
        place.rmdir()


def _is_alive(pid: str) -> bool:
    return Path(f"/proc/{pid}").exists()


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MiB"
