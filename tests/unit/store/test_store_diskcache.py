"""Files kept on the local disk: bounded, oldest first out, and never in the way."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from pathlib import Path

import pytest

from jupyter_dvmount.store import Invalid
from jupyter_dvmount.store.embedded.machine import copies
from jupyter_dvmount.store.embedded.machine.copies import SIZE, local_copies
from jupyter_dvmount.store.embedded.machine.diskcache import DiskCache


def age(cache: DiskCache, name: str, seconds: float) -> None:
    path = cache.directory / name
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def test_what_is_written_is_read_by_anyone(tmp_path):
    cache = DiskCache(tmp_path / "a" / "b" / "c", 1000)
    assert cache.read("x") is None
    assert cache.write("x", b"0123456789")
    assert cache.read("x") == b"0123456789"
    assert DiskCache(cache.directory, 1000).read("x", 2, 3) == b"234"
    assert cache.read("x", 8, 5) == b"89"
    cache.drop("x")
    cache.drop("x")
    assert cache.read("x") is None


def test_only_its_user_can_read_it(tmp_path):
    cache = DiskCache(tmp_path / "dvmount" / "id" / "blocks", 1000)
    cache.write("x", b"1")
    for directory in (cache.directory, cache.directory.parent, cache.directory.parent.parent):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_the_file_that_was_used_longest_ago_goes_first(tmp_path):
    cache = DiskCache(tmp_path / "c", 1000)
    for name in "abcdefgh":
        cache.write(name, bytes(100))
        age(cache, name, 1000)
    assert cache.read("a") is not None
    age(cache, "b", 1000)
    for name in "ij":
        cache.write(name, bytes(100))
    for name in "klm":
        cache.write(name, bytes(100))
    assert cache.holds("a")
    assert not cache.holds("b")
    assert cache.size() <= 1000


def test_several_writers_stay_near_the_bound(tmp_path):
    caches = [DiskCache(tmp_path / "c", 100_000) for _ in range(4)]

    def fill(number: int) -> None:
        for index in range(200):
            caches[number].write(f"{number}.{index}", bytes(1000))

    threads = [threading.Thread(target=fill, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 50_000 < caches[0].size() <= 100_000 + 4 * 100_000 // 16


def test_it_may_be_deleted_while_it_is_used(tmp_path):
    cache = DiskCache(tmp_path / "c", 1000)
    cache.write("x", b"1")
    shutil.rmtree(cache.directory)
    assert cache.read("x") is None
    assert cache.size() == 0
    assert cache.write("y", b"2")
    assert cache.read("y") == b"2"


def test_what_the_disk_does_not_take_is_not_kept(tmp_path):
    occupied = tmp_path / "file"
    occupied.write_bytes(b"")
    cache = DiskCache(occupied / "c", 1000)
    assert not cache.write("x", b"1")
    assert cache.read("x") is None
    assert not DiskCache(tmp_path / "none", 0).write("x", b"1")


@pytest.mark.parametrize(
    ("text", "size"), [("1000", 1000), ("3K", 3 << 10), ("2 MiB", 2 << 20), ("1gb", 1 << 30), ("0", 0)]
)
def test_the_size_is_that_of_the_environment(monkeypatch, tmp_path, text, size):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(SIZE, text)
    held = local_copies("id")
    assert held.blocks.limit + held.nodes.limit == size
    assert held.blocks.directory == tmp_path / "dvmount" / "id" / "blocks"


@pytest.mark.parametrize("text", ["much", "-1", "1.5G", "10 GiBs"])
def test_an_illegal_size_is_refused(monkeypatch, text):
    monkeypatch.setenv(SIZE, text)
    with pytest.raises(Invalid, match="no size"):
        local_copies("id")


def test_by_default_a_small_disk_is_not_filled(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(SIZE, raising=False)
    total = shutil.disk_usage(Path(tmp_path)).total
    held = local_copies("id")
    assert held.blocks.limit + held.nodes.limit == min(copies.DEFAULT_SIZE, total // 8)
