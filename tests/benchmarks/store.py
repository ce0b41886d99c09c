"""Rows: put, get and fsck of the data sets, by the programs of `peers`."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from . import data
from .harness import Harness, timed, warm
from .peers import ALL, Dvmount, Peer
from .results import Goal

_ADDED = "bytes added by D3 to D2"
_PACKS = "packs (one PUT each on S3) for 1,000,000 files as in D1"
GOALS = [
    Goal(_PACKS, 1000),
    Goal("put D1", 0.5, ("restic",)),
    Goal("put D1", 0.6, ("borg",)),
    Goal("put D1", 0.2, ("dvc",)),
    Goal("put D2", 0.5, ("restic",)),
    Goal("put D2", 0.6, ("borg",)),
    Goal("put D2", 1.5, ("cp",)),
    Goal("peak memory of put D1", 300e6),
    Goal("peak memory of put D2", 300e6),
    Goal("get -r D1", 0.7, ("restic", "borg")),
    Goal("get -r D2", 0.7, ("restic", "borg")),
    Goal("fsck --full D1", 0.4, ("restic", "borg")),
    Goal("fsck --full D2", 0.4, ("restic", "borg")),
    Goal(_ADDED, 7e6),
]


def run(harness: Harness) -> None:
    """Measure every peer on D1, then on D2 and D3."""
    peers: list[Peer] = [kind(harness.work / kind.name) for kind in ALL]
    for peer in peers:
        harness.versions[peer.name] = peer.version() if peer.program else "absent"
    small = data.make_d1(harness.work / "D1", harness.scale)
    for peer in peers:
        _measure(harness, peer, small)
        peer.clean()
    shutil.rmtree(small)
    big = data.make_d2(harness.work / "D2", harness.scale)
    changed = data.make_d3(harness.work / "D3", harness.scale)
    for peer in peers:
        _measure(harness, peer, big)
        _measure_added(harness, peer, changed)
        peer.clean()
    shutil.rmtree(big)
    shutil.rmtree(changed)


def _measure(harness: Harness, peer: Peer, source: Path) -> None:
    """Put, get and check one data set; leaves the repository."""
    if peer.program is None:
        harness.absent(f"put {source.name}", peer.name)
        return

    def begin() -> None:
        peer.fresh(source)
        warm(source)

    put = harness.measure(f"put {source.name}", peer.name, peer.put(source), prepare=begin)
    if isinstance(peer, Dvmount) and source.name == "D1":
        packs = sum(1 for _ in (peer.repository / "packs").iterdir())
        harness.record(_PACKS, peer.name, "", [packs * 1_000_000 / data.d1_files(harness.scale)])
    memory = [sample.rss for sample in put.samples if sample.rss is not None]
    harness.record(f"peak memory of put {source.name}", peer.name, "B", memory)
    target = harness.work / "out"
    if get := peer.get(source, target):

        def empty() -> None:
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            warm(peer.place)

        harness.measure(f"get -r {source.name}", peer.name, get, prepare=empty)
        shutil.rmtree(target)
    if check := peer.check():
        harness.measure(f"fsck --full {source.name}", peer.name, check, prepare=partial(warm, peer.place))


def _measure_added(harness: Harness, peer: Peer, source: Path) -> None:
    """Put the next version once: how many bytes it adds does not vary."""
    if peer.program is None:
        harness.absent(_ADDED, peer.name)
        return
    before = peer.held()
    peer.next(source)
    timed(peer.put(source))
    harness.record(_ADDED, peer.name, "B", [peer.held() - before])
