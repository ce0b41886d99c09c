"""Names below the state directory: what the daemon, its supervisor and the mount manager agree on."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jupyter_dvmount.store import Denied, Invalid, NotFound, Unavailable

MAX_DIRECTORY_NAME = 255
"""Bytes of a directory name on the usual Linux file systems; checkouts share the names of the FUSE tree."""

_PROJECT = "~"  # not legal in a repo's name, so that project~repo cannot be confused with another repo


def commit_directory(repo: str, commit: str) -> str:
    """Directory name of a commit: ``repo@id``, or ``project~repo@id``.

    Raises
    ------
    Invalid
        If the name would be longer than a file system allows.
    """
    name = f"{repo.replace('/', _PROJECT)}@{commit}"
    if len(name) > MAX_DIRECTORY_NAME:
        raise Invalid(
            f"the name of repository {repo!r} is too long to be mounted",
            fix=f"use at most {MAX_DIRECTORY_NAME - 34} letters for project and repository together",
        )
    return name


def parse_commit_directory(name: str) -> tuple[str, str] | None:
    """(repo, commit id) of a directory name, or None if it is not one."""
    repo, at, commit = name.partition("@")
    return (repo.replace(_PROJECT, "/", 1), commit) if at else None


class KnownStore(msgspec.Struct, frozen=True, kw_only=True):
    """Where the store with an id is; written by the manager, read by the daemon on a miss."""

    id: str
    url: str


@dataclass(frozen=True)
class State:
    """The state directory of one user.

    Parameters
    ----------
    path
        Absolute path of the directory.
    """

    path: Path

    @property
    def fs(self) -> Path:
        """Mountpoint of the one FUSE mount."""
        return self.path / "fs"

    @property
    def run(self) -> Path:
        """Socket, locks and logs of the processes; nobody else may enter."""
        return self.path / "run"

    @property
    def socket(self) -> Path:
        """Control socket of the daemon."""
        return self.run / "daemon.sock"

    @property
    def stores(self) -> Path:
        """One JSON file a known store."""
        return self.path / "stores"

    @property
    def checkouts(self) -> Path:
        """Commits that had to be copied out."""
        return self.path / "checkouts"

    @property
    def mounts(self) -> Path:
        """One JSON record a mount."""
        return self.path / "mounts"

    @property
    def tmp(self) -> Path:
        """Half-written files and directories, on the same file system as their destination."""
        return self.path / "tmp"

    def fuse_target(self, store: str, repo: str, commit: str) -> Path:
        """Where the daemon shows a commit."""
        return self.fs / store / commit_directory(repo, commit)

    def checkout_target(self, store: str, repo: str, commit: str) -> Path:
        """Where a commit is copied out to."""
        return self.checkouts / store / commit_directory(repo, commit)

    def prepare(self) -> None:
        """Make the directories, private to the user.

        Raises
        ------
        Denied
            If the directory belongs to somebody else or cannot be written.
        Unavailable
            If it cannot be made for another reason.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.path.stat().st_uid != os.geteuid():
                raise Denied(
                    f"the state directory {self.path} belongs to another user",
                    fix="set DVMOUNT_STATE to a directory of your own",
                )
            if self.path.stat().st_mode & stat.S_IWOTH:
                raise Denied(
                    f"other users can write to the state directory {self.path}",
                    fix=f"chmod o-w {self.path}, or set DVMOUNT_STATE to a directory of your own",
                )
            for part in (self.run, self.stores, self.checkouts, self.mounts, self.tmp):
                part.mkdir(mode=0o700, exist_ok=True)
            if stat.S_IMODE(self.run.stat().st_mode) != 0o700:
                self.run.chmod(0o700)
            self._make_mountpoint()
        except OSError as error:
            kind = Denied if isinstance(error, PermissionError) else Unavailable
            raise kind(
                f"cannot use the state directory {self.path}: {error.strerror}",
                fix="set DVMOUNT_STATE to a directory that you can write to",
            ) from error

    def _make_mountpoint(self) -> None:
        with suppress(FileExistsError):
            self.fs.mkdir(mode=0o700)  # no exist_ok: it would stat the mount, which may hang or be dead

    def remember(self, store: KnownStore) -> None:
        """Tell the daemon where a store is."""
        destination = self.stores / store.id
        encoded = msgspec.json.encode(store)
        try:
            if destination.read_bytes() == encoded:
                return
        except FileNotFoundError:
            pass
        write_atomically(destination, encoded, self.tmp)

    def known_store(self, store: str) -> KnownStore:
        """The store with this id, or `NotFound`."""
        try:
            return msgspec.json.decode((self.stores / store).read_bytes(), type=KnownStore)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"no store with id {store!r} has been used here") from None
        except (OSError, msgspec.DecodeError) as error:
            raise Unavailable(f"cannot read where store {store!r} is: {error}") from error


def write_atomically(destination: Path, content: bytes, tmp: Path) -> None:
    """Write a small file so that readers see the old or the new content, never a part.

    Raises
    ------
    Unavailable
        If the disk is full or fails; the old content stays.
    """
    temporary = tmp / f"{os.getpid()}.{os.urandom(6).hex()}"
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(destination)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise Unavailable(f"cannot write {destination}: {error.strerror}", fix="see to the disk") from error
