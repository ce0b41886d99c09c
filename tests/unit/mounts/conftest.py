"""A commit in memory: enough of a store to test what the mount makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from dvmount_fuse.filesystem import FileSystem
from jupyter_dvmount.store import Commit, Corrupt, FileInfo, NotFound

COMMIT = "0123456789abcdef" * 2
STORE = "s1"
ROOT = f"/{STORE}/team~images@{COMMIT}"


class MemoryReader:
    """A `CommitReader` of a dict from paths to contents; ``broken`` paths are corrupt, ``short`` ones cut."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.broken: set[str] = set()
        self.short: set[str] = set()
        now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
        self.commit = Commit(
            repo="team/images", branch="master", id=COMMIT, state="finished", started=now, finished=now
        )

    def lookup(self, path: str) -> FileInfo | None:
        if path in self.files:
            return FileInfo(path=path, type="file", size=len(self.files[path]), hash="ab" * 32)
        prefix = path.rstrip("/") + "/"
        return (
            FileInfo(path=path, type="dir") if any(name.startswith(prefix) for name in self.files) else None
        )

    def list(self, path: str = "/", *, after: str = "", limit: int | None = None) -> Iterator[FileInfo]:
        prefix = path.rstrip("/") + "/"
        names = {name[len(prefix) :].split("/")[0] for name in self.files if name.startswith(prefix)}
        for name in sorted(names):
            found = self.lookup(prefix + name)
            assert found is not None
            yield found

    def readinto(self, file: FileInfo, buffer: memoryview, offset: int = 0) -> int:
        if file.path in self.broken:
            raise Corrupt("bad chunk")
        data = self.files[file.path][offset : offset + len(buffer)]
        if file.path in self.short:
            data = data[:-1]
        buffer[: len(data)] = data
        return len(data)


class MemoryStores:
    """Stands for `Stores` with one store and one commit."""

    def __init__(self, reader: MemoryReader) -> None:
        self.reader = reader
        self.opened = 0

    def known(self) -> list[str]:
        return [STORE]

    def get(self, store: str) -> object:
        if store != STORE:
            raise NotFound(f"no store {store}")
        return self

    def read(self, store: str, repo: str, commit: str) -> MemoryReader:
        self.get(store)
        self.opened += 1
        if (repo, commit) != ("team/images", COMMIT):
            raise NotFound(f"no commit {commit}")
        return self.reader


@pytest.fixture
def reader() -> MemoryReader:
    return MemoryReader({"/a.txt": b"alpha", "/deep/er/b.bin": b"\0" * 3000, "/empty": b""})


@pytest.fixture
def stores(reader: MemoryReader) -> MemoryStores:
    return MemoryStores(reader)


@pytest.fixture
def filesystem(stores: MemoryStores) -> FileSystem:
    return FileSystem(stores)  # type: ignore[arg-type]
