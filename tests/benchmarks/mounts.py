"""Rows: a mount beside the native disk and the mounts of other programs, on the same data."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from jupyter_dvmount.store import open_store

from . import data, reading
from .harness import Harness
from .mounters import ALL, DvmountMount, Mounter, Native
from .results import OURS, Goal

_BLOCK = 1 << 20
_READS = 1000
"""Random reads of 4 KiB."""

_PEERS = ("rclone", "restic", "borg")
_NATIVE = (Native.name,)
LS = "mount D1: until ls answers"
LS_M1 = "mount M1: until ls answers"
FIND, WALK = "find in D1, cold", "walk and stat D1, cold"
READ, READ_8, AGAIN = "read all of D1, cold", "read all of D1, cold, 8 threads", "read all of D1 again"
DD, DD_WARM = "read 512 MiB in a row, cold", "read 512 MiB in a row again"
RANDOM, RANDOM_WARM = f"{_READS:,} random reads of 4 KiB, cold", f"{_READS:,} random reads of 4 KiB again"
RSS, RSS_READ, RSS_M1 = "memory after mounting D1", "memory after all of it", "memory after a walk of M1"
GOALS = [
    Goal(LS, 0.3),
    Goal(LS_M1, 1.0),
    Goal(FIND, 2.5, _NATIVE),
    Goal(FIND, 1 / 3, _PEERS),
    Goal(WALK, 2, _NATIVE),
    Goal(WALK, 1 / 3, _PEERS),
    Goal(READ, 1 / 3, _PEERS),
    Goal(READ_8, 1 / 3, _PEERS),
    Goal(AGAIN, 2, _NATIVE),
    Goal(DD, 1 / 2, _PEERS),
    Goal(DD_WARM, 2, _NATIVE),
    Goal(RANDOM, 1 / 10, _PEERS),
    Goal(RANDOM_WARM, 1.3, _NATIVE),
    Goal(RSS, 60 << 20),
    Goal(RSS_M1, 150 << 20),
]


def run(harness: Harness) -> None:
    """Measure every program on D1 and one file of D2, and ours on M1."""
    source = harness.work / "shown"
    data.make_d1(source / "d1", harness.scale)
    with (source / "big").open("wb") as file:
        for start in range(0, data.big_size(harness.scale), 8 * _BLOCK):
            file.write(data.random_bytes("D2/0", 8 * _BLOCK, start))
    for kind in ALL:
        mounter = kind(harness.work / f"{kind.__name__}")
        if not mounter.available:
            harness.absent(LS, mounter.name)
            continue
        harness.versions.setdefault(mounter.name, mounter.version())
        mounter.take(source)
        _Rows(harness, mounter).run()
        shutil.rmtree(mounter.place, ignore_errors=True)
    shutil.rmtree(source)
    _measure_m1(harness)


class _Rows:
    """The rows of one program."""

    def __init__(self, harness: Harness, mounter: Mounter) -> None:
        self._harness = harness
        self._mounter = mounter
        self._root = Path()

    def run(self) -> None:
        """Measure; every cold row begins with a mount of its own."""
        peer = self._mounter.name
        if peer != Native.name:
            self._harness.measure(LS, peer, self._mount, prepare=self._mounter.down)
            self._note_memory(RSS)
        self._cold(FIND, lambda: reading.find(self._root))
        self._cold(WALK, lambda: reading.walk(self._root))
        self._cold(READ_8, lambda: reading.read_tree_by_8(self._root / "d1"))
        self._cold(READ, self._read_d1)
        self._harness.measure(AGAIN, peer, self._read_d1)
        self._cold(DD, self._read_big)
        self._harness.measure(DD_WARM, peer, self._read_big)
        self._cold(RANDOM, self._read_randomly)
        self._harness.measure(RANDOM_WARM, peer, self._read_randomly)
        self._note_memory(RSS_READ)
        self._mounter.down()

    def _mount(self) -> None:
        self._root = self._mounter.up()

    def _remount(self) -> None:
        self._mounter.down()
        self._mount()

    def _cold(self, work: str, function: Callable[[], object]) -> None:
        self._harness.measure(work, self._mounter.name, function, prepare=self._remount, cold=True)

    def _read_d1(self) -> None:
        reading.read_tree(self._root / "d1")

    def _read_big(self) -> None:
        reading.read_file(self._root / "big")

    def _read_randomly(self) -> None:
        reading.read_randomly(self._root / "big", _READS)

    def _note_memory(self, work: str) -> None:
        memory = self._mounter.rss()
        if memory is not None:
            self._harness.record(work, self._mounter.name, "B", [memory])


def _measure_m1(harness: Harness) -> None:
    """How a commit of a million files mounts, and what a walk through it leaves in memory."""
    mounter = DvmountMount(harness.work / "m1")
    mounter.peer.place.mkdir(parents=True)
    contents = data.make_m1_contents(harness.work / "contents")
    with open_store(mounter.peer.repository.as_uri()) as store:
        store.create_repo("data")
        with store.modify("data", "master") as writer:
            writer.put_tree("/", zip(data.m1_paths(harness.scale), itertools.cycle(contents)))
    harness.measure(LS_M1, OURS, mounter.up, prepare=mounter.down)
    count = sum(len(names) for _, _, names in os.walk(mounter.mountpoint / "data"))
    if count != sum(1 for _ in data.m1_paths(harness.scale)):
        raise AssertionError(f"a walk of M1 finds {count} files")
    harness.record(RSS_M1, OURS, "B", [mounter.rss() or 0])
    mounter.down()
    shutil.rmtree(mounter.place)
    shutil.rmtree(harness.work / "contents")
