"""A commit in memory: enough of a store to test what the mount makes of it, and to hold it up on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import PurePosixPath
from threading import Event

from jupyter_dvmount.store import Block, Commit, Corrupt, FileInfo, NotFound

COMMIT = "0123456789abcdef" * 2
STORE = "s1"
ROOT = f"/{STORE}/team~images@{COMMIT}"


class MemoryReader:
    """A `CommitReader` of a dict from paths to contents.

    ``broken`` paths are corrupt, ``short`` ones cut; reads wait for ``gate`` if it is closed.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.broken: set[str] = set()
        self.short: set[str] = set()
        self.gate = Event()
        self.gate.set()
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

    def number(self, path: str) -> int | None:
        paths = self.paths()
        return paths.index(path) if path in paths else None

    def numbered(self, number: int) -> FileInfo:
        found = self.lookup(self.paths()[number])
        assert found is not None
        return found

    def paths(self) -> list[str]:
        """Everything there is, in the order of the numbers: a directory's children next to each other."""
        above = {str(parent) for path in self.files for parent in PurePosixPath(path).parents}
        return sorted({*self.files, *above}, key=lambda path: (path.rpartition("/")[0], path))

    def blocks(self, path: str = "/") -> Iterator[Block]:
        prefix = path.rstrip("/")
        names = [name for name in self.paths() if name != "/" and name.rpartition("/")[0] == prefix]
        for start in range(0, len(names), 3):
            part = names[start : start + 3]
            sizes = [len(self.files[name]) if name in self.files else -1 for name in part]
            yield Block(self.paths().index(part[0]), [name.rpartition("/")[2] for name in part], sizes)

    def prepare(self, number: int, count: int, room: int) -> None:
        """Everything is at hand."""

    def parts(self, file: FileInfo, offset: int, length: int) -> Iterator[memoryview]:
        self.gate.wait()
        if file.path in self.broken:
            raise Corrupt("bad chunk")
        data = self.files[file.path][offset : offset + length]
        if file.path in self.short:
            data = data[:-1]
        yield from (memoryview(data)[start : start + 2] for start in range(0, len(data), 2))


class MemoryStores:
    """Stands for `Stores` with one commit in each of its stores."""

    def __init__(self, readers: dict[str, MemoryReader]) -> None:
        self.readers = readers

    def known(self) -> list[str]:
        return sorted(self.readers)

    def get(self, store: str) -> object:
        if store not in self.readers:
            raise NotFound(f"no store {store}")
        return self

    def read(self, store: str, repo: str, commit: str) -> MemoryReader:
        self.get(store)
        if (repo, commit) != ("team/images", COMMIT):
            raise NotFound(f"no commit {commit}")
        return self.readers[store]
