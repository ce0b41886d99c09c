"""Caches are bounded, and threads that miss together load once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from jupyter_dvmount.store.embedded.machine.cache import Cache


def test_the_least_recently_used_go_first() -> None:
    loaded: list[bytes] = []

    def load(key: bytes) -> bytes:
        loaded.append(key)
        return key * 10

    cache: Cache[bytes] = Cache(30, len)
    for key in (b"a", b"b", b"c", b"a", b"d", b"a", b"b"):
        assert cache.get(key, load) == key * 10
    assert loaded == [b"a", b"b", b"c", b"d", b"b"]


def test_a_value_larger_than_the_cache_is_still_given() -> None:
    cache: Cache[bytes] = Cache(5, len)
    assert cache.get(b"large", lambda key: key * 100) == b"large" * 100


def test_threads_that_miss_together_load_once() -> None:
    cache: Cache[str] = Cache(10)
    threads = 8
    barrier = threading.Barrier(threads)
    loads: list[bytes] = []

    def load(key: bytes) -> str:
        loads.append(key)
        return "value"

    def get(_: int) -> str:
        barrier.wait(30)
        return cache.get(b"key", load)

    with ThreadPoolExecutor(threads) as pool:
        assert set(pool.map(get, range(threads))) == {"value"}
    assert loads == [b"key"]


def test_a_value_that_is_added_twice_weighs_once() -> None:
    cache: Cache[bytes] = Cache(30, len)
    for _ in range(5):
        cache.add(b"a", b"0123456789")
    cache.add(b"b", b"0123456789")
    assert cache.holds(b"a")
    assert cache.holds(b"b")


def test_a_load_that_fails_is_tried_again() -> None:
    cache: Cache[str] = Cache(10)

    def fail(key: bytes) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.get(b"key", fail)
    assert cache.get(b"key", lambda _: "value") == "value"
