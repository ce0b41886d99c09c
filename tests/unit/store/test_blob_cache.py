"""Blobs read through the cache: fetched once, fetched ahead, and never wrong for what the disk did."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path

import pytest

from jupyter_dvmount.store import Unavailable
from jupyter_dvmount.store.embedded.blobs.base import MissingBlob
from jupyter_dvmount.store.embedded.blobs.cache import BLOCK, CachedBlobs
from jupyter_dvmount.store.embedded.machine.diskcache import DiskCache

NAME = "packs/p"
DATA = b"".join(index.to_bytes(4, "little") for index in range(20 * BLOCK // 4)) + b"end"


class Far:
    """Remote blobs in memory, which count what is fetched of them and may be slow."""

    def __init__(self) -> None:
        self.patience = 5.0
        self.delay = 0.0
        self.garble = False
        self.fetched: Counter[int] = Counter()
        self.staging = Path()
        self._pool = ThreadPoolExecutor(32)

    def fetch(self, name: str, offset: int, length: int) -> Future[bytes]:
        return self._pool.submit(self._get, name, offset, length)

    def wait(self, fetched: Future[bytes], doing: str, seconds: float) -> bytes:
        try:
            return fetched.result(seconds)
        except FutureTimeout:
            raise Unavailable(doing) from None

    def _get(self, name: str, offset: int, length: int) -> bytes:
        self.fetched[offset // BLOCK] += 1
        time.sleep(self.delay)
        if name != NAME:
            raise MissingBlob(name)
        data = DATA[offset : offset + length]
        return bytes(byte ^ 1 for byte in data) if self.garble else data


def wait_for(condition) -> None:
    """The disk has a block a moment after its first reader."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def far():
    return Far()


@pytest.fixture
def files(tmp_path):
    return DiskCache(tmp_path / "blocks", 100 * BLOCK)


@pytest.fixture
def near(far, files):
    return CachedBlobs(far, files)


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, 1),
        (BLOCK - 1, 2),
        (BLOCK, BLOCK),
        (3 * BLOCK + 7, 2 * BLOCK),
        (20 * BLOCK - 1, 100),
        (20 * BLOCK + 3, 5),
        (30 * BLOCK, 5),
        (5, 0),
        (0, 30 * BLOCK),
    ],
)
def test_any_range_is_what_the_blob_holds(near, offset, length):
    for _ in range(2):
        assert near.read(NAME, offset, length) == DATA[offset : offset + length]


def test_a_block_is_fetched_once_and_shared_with_other_processes(near, far, files):
    near.read(NAME, 7 * BLOCK + 5, 100)
    near.read(NAME, 7 * BLOCK + 500, 100)
    wait_for(lambda: files.holds("packs-p.7"))
    CachedBlobs(far, files).read(NAME, 7 * BLOCK, 100)
    assert far.fetched == {7: 1}


def test_threads_that_miss_a_block_together_fetch_it_once(near, far):
    far.delay = 0.1
    with ThreadPoolExecutor(8) as readers:
        found = list(readers.map(lambda offset: near.read(NAME, 9 * BLOCK + offset, 8), range(8)))
    assert found == [DATA[9 * BLOCK + offset : 9 * BLOCK + offset + 8] for offset in range(8)]
    assert far.fetched == {9: 1}


def test_a_reader_that_goes_on_finds_the_next_blocks_there(near, far):
    far.delay = 0.05
    start = time.monotonic()
    for index in range(20):
        near.read(NAME, index * BLOCK, BLOCK)
    assert time.monotonic() - start < 20 * far.delay / 2
    assert all(count == 1 for count in far.fetched.values())


def test_scattered_readers_fetch_nothing_that_they_did_not_ask_for(near, far):
    for index in (3, 11, 5, 17, 8, 0, 14):
        near.read(NAME, index * BLOCK, 10)
    time.sleep(0.05)
    assert set(far.fetched) == {3, 11, 5, 17, 8, 0, 14}


def test_a_failure_is_told_to_all_who_wait_and_the_next_read_tries_again(near, far):
    for _ in range(2):
        with pytest.raises(MissingBlob):
            near.read("packs/other", 0, 10)
    assert far.fetched == {0: 2}


def test_no_reader_waits_longer_than_the_patience(near, far):
    far.patience, far.delay = 0.2, 1.0
    start = time.monotonic()
    with pytest.raises(Unavailable):
        near.read(NAME, 0, 10)
    assert time.monotonic() - start < 0.7


def test_without_room_on_the_disk_reads_go_on_and_scattered_ones_share_a_fetch(far, tmp_path):
    near = CachedBlobs(far, DiskCache(tmp_path / "none", 0))
    for offset in (5, 500, 5000):
        assert near.read(NAME, BLOCK + offset, 10) == DATA[BLOCK + offset : BLOCK + offset + 10]
    assert far.fetched == {1: 1}
    for index in range(0, 20, 2):
        near.read(NAME, index * BLOCK, 10)
    assert not (tmp_path / "none").exists()


def test_blocks_held_in_memory_for_want_of_a_disk_are_few(far, tmp_path):
    near = CachedBlobs(far, DiskCache(tmp_path / "none", 0))
    for index in range(0, 20):
        near.read(NAME, index * BLOCK, 10)
    time.sleep(0.1)
    assert len(near._flights) <= 16


def test_a_damaged_copy_is_forgotten_and_fetched_again(near, far, files):
    near.read(NAME, 2 * BLOCK, 10)
    wait_for(lambda: files.holds("packs-p.2"))
    (files.directory / "packs-p.2").write_bytes(b"damaged")
    assert near.read(NAME, 2 * BLOCK, 10) != DATA[2 * BLOCK : 2 * BLOCK + 10]
    assert near.forget(NAME, 2 * BLOCK, 10)
    assert near.read(NAME, 2 * BLOCK, 10) == DATA[2 * BLOCK : 2 * BLOCK + 10]
    assert far.fetched == {2: 2}


def test_a_damaged_block_that_is_forgotten_before_the_disk_has_it_does_not_come_back(
    near, far, files, monkeypatch
):
    """Its first reader has it before the disk does."""
    write, may_write, written = files.write, threading.Event(), threading.Event()

    def write_late(name: str, data: bytes) -> bool:
        may_write.wait(5)
        kept = write(name, data)
        written.set()
        return kept

    monkeypatch.setattr(files, "write", write_late)
    right = DATA[2 * BLOCK : 2 * BLOCK + 10]
    far.garble = True
    assert near.read(NAME, 2 * BLOCK, 10) != right
    far.garble = False
    near.forget(NAME, 2 * BLOCK, 10)
    may_write.set()
    written.wait(1)
    wait_for(lambda: not files.holds("packs-p.2"))
    assert near.read(NAME, 2 * BLOCK, 10) == right


def test_the_cache_may_be_deleted_at_any_time(near, files):
    stop = threading.Event()

    def delete() -> None:
        while not stop.is_set():
            for path in files.directory.glob("*"):
                path.unlink(missing_ok=True)
            if files.directory.exists():
                try:
                    files.directory.rmdir()
                except OSError:
                    continue

    thread = threading.Thread(target=delete)
    thread.start()
    try:
        for index in range(40):
            offset = (index * 7) % 20 * BLOCK
            assert near.read(NAME, offset, 100) == DATA[offset : offset + 100]
    finally:
        stop.set()
        thread.join()
