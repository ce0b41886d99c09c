"""Reading versions: the half of the file system that changes nothing."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.utils import stringify_path

from jupyter_dvmount.config import load_config
from jupyter_dvmount.store import DEFAULT_BRANCH, VersionStore
from jupyter_dvmount.store.uri import SCHEME

from .entries import Details, Entry, find_entry, join, normal, split, url
from .errors import os_error, os_errors
from .stores import shared_store


class ReadingFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """What `DvmFileSystem` does without writing.

    Parameters
    ----------
    store
        URL or name of the store, or None.
    """

    protocol = "dvm"

    def __init__(self, store: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._chosen = store

    @property
    def fsid(self) -> str:
        """The same for all file systems of one store."""
        with os_errors():
            return f"dvm-{self._store().id}"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [normal(stringify_path(each)) for each in path]
        return normal(stringify_path(path))

    def unstrip_protocol(self, name: str) -> str:
        """The path as a URL."""
        return name if name.startswith(SCHEME) else url(name)

    @classmethod
    def _parent(cls, path: Any) -> str:
        root, inner = split(cls._strip_protocol(path))
        return join(root, inner.rpartition("/")[0]) if inner else ""

    def info(self, path: str, **options: Any) -> Details:
        """Describe a file or directory: name, type, size, hash, commit, and when the commit was finished."""
        path = self._strip_protocol(path)
        return self._entry(path).details() if path else {"name": "", "type": "directory", "size": 0}

    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        """List a directory, or a file; at the root, the default branches of the repositories."""
        path = self._strip_protocol(path)
        with os_errors():
            if path:
                listed = [entry.details() for entry in _children(self._entry(path))]
            else:
                listed = [
                    {"name": f"{repo.name}@{DEFAULT_BRANCH}", "type": "directory", "size": repo.size}
                    for repo in self._store().list_repos()
                ]
        return listed if detail else [each["name"] for each in listed]

    def find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        **options: Any,
    ) -> Any:
        """Everything below a directory, of one and the same commit; see fsspec."""
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")
        path = self._strip_protocol(path)
        if not path:
            return super().find(path, maxdepth=maxdepth, withdirs=withdirs, detail=detail, **options)
        try:
            with os_errors():
                found = [
                    entry.details()
                    for entry in _below(self._entry(path), maxdepth)
                    if withdirs or entry.file.type == "file"
                ]
        except FileNotFoundError:
            found = []
        by_name = {each["name"]: each for each in sorted(found, key=lambda each: str(each["name"]))}
        return by_name if detail else list(by_name)

    def du(
        self,
        path: str,
        total: bool = True,
        maxdepth: int | None = None,
        withdirs: bool = False,
        **options: Any,
    ) -> Any:
        """Bytes of all files below a path, without visiting them; or by file, see fsspec."""
        path = self._strip_protocol(path)
        if not total or maxdepth is not None or not path:
            return super().du(path, total=total, maxdepth=maxdepth, withdirs=withdirs, **options)
        with os_errors():
            entry = self._entry(path)
            return 0 if entry.reader is None else entry.reader.usage(entry.file.path)[1]

    def exists(self, path: str, **options: Any) -> bool:
        """Whether there is something; a store that cannot be read is an error."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def checksum(self, path: str) -> int:
        """Equal exactly for equal contents; of a directory, for equal commits."""
        return int(self.ukey(path), 16)

    def ukey(self, path: str) -> str:
        """The hash of a file; of a directory, the id of the commit."""
        details = self.info(path)
        return str(details.get("hash") or details.get("commit") or "0")

    def created(self, path: str) -> datetime:
        """When the commit was finished that the file is read from."""
        return self._entry(self._strip_protocol(path)).time

    def modified(self, path: str) -> datetime:
        """When the commit was finished that the file is read from."""
        return self.created(path)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        """The bytes of a file, or a slice of them."""
        return _slice(self._file(path), start, end)

    def cat_ranges(
        self,
        paths: list[str],
        starts: int | list[int] | None,
        ends: int | list[int] | None,
        max_gap: int | None = None,
        on_error: str = "return",
        **options: Any,
    ) -> list[Any]:
        """Slices of files; each file is looked up once."""
        if max_gap is not None:
            raise NotImplementedError("max_gap")
        count = len(paths)
        begin = starts if isinstance(starts, list) else [starts] * count
        stop = ends if isinstance(ends, list) else [ends] * count
        if not len(begin) == len(stop) == count:
            raise ValueError("as many starts and ends are needed as there are paths")
        files: dict[str, Entry] = {}
        read: list[Any] = []
        for path, first, last in zip(paths, begin, stop, strict=True):
            try:
                if path not in files:
                    files[path] = self._file(path)
                read.append(_slice(files[path], first, last))
            except OSError as error:  # noqa: PERF203 - each file may fail on its own
                if on_error != "return":
                    raise
                read.append(error)
        return read

    def _store(self, *, create: bool = False) -> VersionStore:
        return shared_store(load_config(store=self._chosen).store, create=create)

    def _existing(self, path: str) -> Entry | None:
        with os_errors():
            return find_entry(self._store(), path)

    def _entry(self, path: str) -> Entry:
        entry = self._existing(path)
        if entry is None:
            raise os_error(
                errno.ENOENT, f"no file or directory {path}", "list its directory to see what is there"
            )
        return entry

    def _file(self, path: str) -> Entry:
        entry = self._entry(self._strip_protocol(path))
        if entry.file.type == "dir":
            raise os_error(errno.EISDIR, f"{path} is a directory", "name a file, or list the directory")
        return entry


def _children(entry: Entry) -> Iterator[Entry]:
    """What is in a directory; a file itself."""
    if entry.file.type == "file":
        yield entry
    elif entry.reader is not None:
        for file in entry.reader.list(entry.file.path):
            yield entry.beside(file)


def _below(entry: Entry, maxdepth: int | None) -> Iterator[Entry]:
    """An entry and everything below it, down to so many levels."""
    yield entry
    if entry.file.type == "file" or entry.reader is None or maxdepth == 0:
        return
    if maxdepth is None:
        for file in entry.reader.walk(entry.file.path):
            yield entry.beside(file)
        return
    for child in _children(entry):
        yield from _below(child, maxdepth - 1)


def _slice(entry: Entry, start: int | None, end: int | None) -> bytes:
    """Bytes of a file, with the meaning of Python's slices."""
    first, last, _ = slice(start, end).indices(entry.file.size)
    data = bytearray(max(0, last - first))
    with os_errors():
        entry.content.readinto(entry.file, data, first)
    return bytes(data)
