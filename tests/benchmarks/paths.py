"""Rows: commits, differences and look-ups in a store of a million paths."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from time import perf_counter

from jupyter_dvmount.store import VersionStore, open_store

from . import data
from .harness import Harness, drop_caches
from .results import OURS, Goal

REPEATS = 20
"""Samples of what takes milliseconds."""
COMMIT, WRITTEN = "commit of 1 change in M1", "bytes written by it"
DIFF, STAT = "diff of two such commits", "stat in M1, path after path"
LIST = "list a directory of 1,000, store just opened"
LIST_DISK = f"{LIST}, page cache dropped"
GOALS = [
    Goal(COMMIT, 5e-3),
    Goal(WRITTEN, 40e3),
    Goal(DIFF, 3e-3),
    Goal(LIST, 2e-3),
    Goal(LIST_DISK, 2e-3),
    Goal(STAT, 0.5e-3),
]


def run(harness: Harness) -> None:
    """Make M1 and measure in it."""
    url = (harness.work / "paths").as_uri()
    with open_store(url) as store:
        _fill(store, harness)
        commits = _measure_commits(harness, store)
        _measure_stat(harness, store)
    _measure_diff(harness, url, commits)
    _measure_list(harness, url)
    shutil.rmtree(harness.work / "paths")


def _fill(store: VersionStore, harness: Harness) -> None:
    contents = data.make_m1_contents(harness.work / "contents")
    store.create_repo("m1")
    with store.modify("m1", "master") as writer:
        writer.put_tree("/", zip(data.m1_paths(harness.scale), itertools.cycle(contents)))
    shutil.rmtree(harness.work / "contents")


def _measure_commits(harness: Harness, store: VersionStore) -> list[str]:
    """Ids of the commits made, oldest first."""
    place = harness.work / "paths"
    times, sizes, ids = [], [], []
    for number in range(REPEATS):
        before = _pack_bytes(place)
        start = perf_counter()
        with store.modify("m1", "master") as writer:
            writer.put("/dir0000/file0500.dat", b"change %d" % number)
        times.append(perf_counter() - start)
        sizes.append(_pack_bytes(place) - before)
        ids.append(writer.commit.id)
    harness.record(COMMIT, OURS, "s", times)
    harness.record(WRITTEN, OURS, "B", sizes)
    return ids


def _pack_bytes(place: Path) -> int:
    return sum(file.stat().st_size for file in (place / "packs").iterdir())


def _measure_diff(harness: Harness, url: str, commits: list[str]) -> None:
    with open_store(url, create=False) as store:
        times = []
        for old, new in itertools.pairwise(commits):
            start = perf_counter()
            (entry,) = store.diff("m1", new, other=old)
            times.append(perf_counter() - start)
            if entry.path != "/dir0000/file0500.dat":
                raise AssertionError(entry)
    harness.record(DIFF, OURS, "s", times)


def _measure_list(harness: Harness, url: str) -> None:
    """The first listing after opening the store, each time of another directory."""
    for work, prepare in ((LIST, None), (LIST_DISK, drop_caches)):
        times = []
        for number in range(REPEATS):
            with open_store(url, create=False) as store:
                if prepare is not None:
                    prepare()
                path = f"/dir{number % round(1000 * harness.scale):04}"
                start = perf_counter()
                count = sum(1 for _ in store.read("m1", "master").list(path))
                times.append(perf_counter() - start)
            if count != data.IN_DIRECTORY:
                raise AssertionError(f"{path} has {count} entries")
        harness.record(work, OURS, "s", times)


def _measure_stat(harness: Harness, store: VersionStore) -> None:
    reader = store.read("m1", "master")
    times = []
    for path in itertools.islice(data.m1_paths(harness.scale), 0, None, 997):
        start = perf_counter()
        found = reader.lookup(f"/{path}")
        times.append(perf_counter() - start)
        if found is None:
            raise AssertionError(path)
    harness.record(STAT, OURS, "s", times)
