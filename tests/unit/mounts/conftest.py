from __future__ import annotations

import pytest

from dvmount_fuse.filesystem import FileSystem
from tests.memory_store import STORE, MemoryReader, MemoryStores


@pytest.fixture
def reader() -> MemoryReader:
    return MemoryReader({"/a.txt": b"alpha", "/deep/er/b.bin": b"\0" * 3000, "/empty": b""})


@pytest.fixture
def stores(reader: MemoryReader) -> MemoryStores:
    return MemoryStores({STORE: reader})


@pytest.fixture
def filesystem(stores: MemoryStores) -> FileSystem:
    return FileSystem(stores)  # type: ignore[arg-type]
