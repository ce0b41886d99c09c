"""The fsspec implementation: what it writes, in addition to what it reads."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import Any

from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.utils import stringify_path

from jupyter_dvmount.config import author as login_name
from jupyter_dvmount.store import NotFound, VersionStore
from jupyter_dvmount.store.uri import check_branch

from .changes import Change, CommitTransaction, Place, commit
from .entries import Entry, find_branch, find_entry, locate
from .errors import os_error, os_errors
from .files import ReadFile, WriteFile
from .reading import ReadingFileSystem


class DvmFileSystem(ReadingFileSystem):
    """Commits of a version store as a file system; paths are ``repo@ref/path``.

    Without ``@ref`` a path means the default branch; a repository in a project needs it. A path in a branch
    means its newest commit each time it is used. Paths with ``dvm://`` in front are percent-encoded.

    What is written to a branch becomes a commit when the file is closed, or when the bulk operation (`put`,
    `copy`, `mv`, `rm`, `pipe`) ends. Within ``with fs.transaction:`` all becomes one commit a branch, and
    nothing if the block raises.

    Parameters
    ----------
    store
        URL of the store, or its name in the configuration file; by default as everywhere: ``DVMOUNT_STORE``,
        the configuration file, the embedded store of this user.
    message, author
        Of the commits; by default none, and the login name.
    """

    transaction_type = CommitTransaction

    def __init__(
        self, store: str | None = None, *, message: str = "", author: str | None = None, **options: Any
    ) -> None:
        super().__init__(store, **options)
        self._message = message
        self._author = author
        self._gathered = threading.local()

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: Any = None,
        **options: Any,
    ) -> ReadFile | WriteFile:
        if mode == "rb":
            file = self._file(path)
            return ReadFile(file.content, file.file, file.details(), block_size)
        if mode not in {"wb", "ab", "xb"}:
            raise ValueError(f"mode {mode!r} is not possible: open for reading, writing or appending")
        place, inner, entry = self._target(path)
        if mode == "xb" and entry is not None:
            raise os_error(errno.EEXIST, f"{path} exists")
        append = mode == "ab"
        start = entry.file.size if append and entry is not None else 0
        close_with = self.commit if autocommit else None
        return WriteFile(place, inner, append=append, start=start, close_with=close_with)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        """Write a file."""
        place, inner, entry = self._target(self._strip_protocol(path))
        if mode == "create" and entry is not None:
            raise os_error(errno.EEXIST, f"{path} exists")
        data = bytes(value)
        self._do(Change(place, lambda writer: writer.put(inner, data)))

    def put_file(
        self,
        lpath: Any,
        rpath: str,
        callback: Any = DEFAULT_CALLBACK,
        mode: str = "overwrite",
        **options: Any,
    ) -> None:
        """Write a local file; a directory is nothing, since it appears with its files."""
        local = Path(stringify_path(lpath))
        if local.is_dir():
            return
        place, inner, entry = self._target(self._strip_protocol(rpath))
        if mode == "create" and entry is not None:
            raise os_error(errno.EEXIST, f"{rpath} exists")
        size = local.stat().st_size
        callback.set_size(size)
        if self._intrans:  # at its end the local file may be another one
            with local.open("rb") as source, self.open(rpath, "wb") as target:
                copyfileobj(source, target)
        else:
            self._do(Change(place, lambda writer: writer.put(inner, local)))
        callback.relative_update(size)

    def cp_file(self, path1: str, path2: str, **options: Any) -> None:
        """Copy a file without moving bytes; a directory is nothing, since it appears with its files."""
        source = self._entry(self._strip_protocol(path1))
        if source.file.type == "dir":
            return
        place, inner, _ = self._target(self._strip_protocol(path2))
        repo, commit_id = source.content.commit.repo, source.content.commit.id
        self._do(Change(place, lambda writer: writer.copy(repo, commit_id, source.file.path, inner)))

    def rm_file(self, path: str) -> None:
        """Delete a file."""
        self.rm(path)

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Delete files, or, if ``recursive``, directories with all that is in them."""
        if maxdepth is not None:
            raise NotImplementedError("maxdepth")
        done: list[str] = []
        with self._together():
            for each in self.expand_path(path):
                if any(each.startswith(f"{above}/") for above in done):
                    continue
                self._delete(each, recursive=recursive)
                done.append(each)

    def put(self, lpath: Any, rpath: Any, *arguments: Any, **options: Any) -> None:
        """Write local files, in one commit; see fsspec."""
        with self._together():
            super().put(lpath, rpath, *arguments, **options)

    def copy(self, path1: Any, path2: Any, *arguments: Any, **options: Any) -> None:
        """Copy files without moving bytes, in one commit; see fsspec."""
        with self._together():
            super().copy(path1, path2, *arguments, **options)

    def mv(
        self, path1: Any, path2: Any, recursive: bool = False, maxdepth: int | None = None, **options: Any
    ) -> None:
        """Move files, in one commit a branch; see fsspec."""
        with self._together():
            # Copies come from the commit as it is now. After the deletes they lose nothing, even if a path is
            # moved onto itself or into itself.
            self.rm(path1, recursive=recursive)
            self.copy(path1, path2, recursive=recursive, maxdepth=maxdepth, on_error="raise")

    def pipe(self, path: Any, value: bytes | None = None, **options: Any) -> None:
        """Write files from memory, in one commit; see fsspec."""
        with self._together():
            super().pipe(path, value, **options)

    def mkdir(self, path: str, create_parents: bool = True, **options: Any) -> None:
        """Make the repository if ``path`` is its root; other directories appear with their files.

        As everywhere, `FileExistsError` if there is something.
        """
        path = self._strip_protocol(path)
        with os_errors():
            location = locate(path)
            if location.path == "/":
                self._store(create=True).create_repo(location.repo)
            else:
                self.makedirs(path)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Only look whether there is something: directories appear with their files.

        It makes no repository, for fsspec calls it before it writes to any path, mistyped or not.
        """
        path = self._strip_protocol(path)
        with os_errors():
            there = self._occupant(path)
        if there is not None and (there.file.type == "file" or not exist_ok):
            raise os_error(errno.EEXIST, f"{path} exists")

    def rmdir(self, path: str) -> None:
        """Refuse: a directory that is there is not empty. One that is not has already gone."""
        path = self._strip_protocol(path)
        if self.exists(path):
            raise os_error(errno.ENOTEMPTY, f"{path} is not empty", "use rm(path, recursive=True)")

    def commit(self, changes: list[Change]) -> None:
        """Make changes, in one commit for each branch."""
        with os_errors():
            author = login_name() if self._author is None else self._author
            commit(self._store(), changes, message=self._message, author=author)

    def _occupant(self, path: str) -> Entry | None:
        """What would be in the way of something new; in a branch that does not exist yet, nothing."""
        try:
            return find_entry(self._store(), path)
        except NotFound:
            self._store().inspect_repo(locate(path).repo)
            return None

    def _target(self, path: str) -> tuple[Place, str, Entry | None]:
        """Where a file shall be written: branch and path in it, and the file that is there."""
        with os_errors():
            place, inner = self._branch(path)
            nearest = self._occupant(path)
            above = path
            while nearest is None and (above := self._parent(above)):
                nearest = self._occupant(above)
        if nearest is None or (nearest.file.type == "dir" and nearest.file.path != inner):
            return place, inner, None
        if nearest.file.type == "dir":
            raise os_error(errno.EISDIR, f"{path} is a directory", "name a file in it")
        if nearest.file.path != inner:
            raise os_error(errno.ENOTDIR, f"{path}: {nearest.file.path} is a file", "choose another path")
        return place, inner, nearest

    def _branch(self, path: str) -> tuple[Place, str]:
        """The branch that a path is in, and the path within it."""
        location = locate(path)
        store = self._store()
        if find_branch(store, location) is None:
            store.inspect_repo(location.repo)
            is_commit = _is_commit(store, location.repo, location.ref)
            if is_commit and find_branch(store, location) is None:  # nor one made since
                raise os_error(
                    errno.EACCES,
                    f"cannot write to {location.repo}@{location.ref}: commits never change",
                    "write to a branch",
                )
            check_branch(location.ref)
        return Place(location.repo, location.ref), location.path

    def _delete(self, path: str, *, recursive: bool) -> None:
        with os_errors():
            place, inner = self._branch(path)
        entry = self._entry(path)
        if entry.file.type == "dir" and not recursive:
            raise os_error(errno.EISDIR, f"{path} is a directory", "use recursive=True")
        self._do(Change(place, lambda writer: writer.delete(inner)))

    def _do(self, change: Change) -> None:
        """Make a change now, or with the others that it belongs to."""
        gathered: list[Change] | None = getattr(self._gathered, "changes", None)
        if gathered is not None:
            gathered.append(change)
        elif self._intrans:
            self.transaction.files.append(change)
        else:
            self.commit([change])

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Make the changes of a block one commit, unless they are part of a greater whole anyway."""
        if self._intrans or getattr(self._gathered, "changes", None) is not None:
            yield
            return
        changes: list[Change] = []
        self._gathered.changes = changes
        try:
            yield
        finally:
            self._gathered.changes = None
        self.commit(changes)


def _is_commit(store: VersionStore, repo: str, ref: str) -> bool:
    try:
        store.inspect_commit(repo, ref)
    except NotFound:
        return False
    return True
