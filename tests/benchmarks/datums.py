"""Rows: a job on 100,000 datums none of which has changed, up to knowing it; what a datum costs on Dask."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Sequence
from time import perf_counter
from unittest import mock

from jupyter_dvmount.config import Config
from jupyter_dvmount.pipelines.datums import code_of, current_heads, enumerate_datums, select
from jupyter_dvmount.pipelines.datums.scratch import Scratch
from jupyter_dvmount.pipelines.executors import open_executor
from jupyter_dvmount.pipelines.secrets import SecretStore
from jupyter_dvmount.pipelines.spec import parse
from jupyter_dvmount.store import open_store

from . import data
from .datum_overhead import batch, make_datum
from .datum_overhead import run as finish
from .harness import Harness
from .results import OURS, Goal

DATUMS, REPEATS = 100_000, 5
SKIP = "skip 100,000 unchanged datums"
DASK = "Dask, local cluster of 2 workers, tier C, 50 at a time: a datum"
DASK_SETS, DASK_NUMBER = 20, 50
GOALS = [Goal(SKIP, 5.0), Goal(DASK, 0.005)]
_SPEC = {
    "pipeline": {"name": "edges"},
    "input": {"pfs": {"repo": "images", "glob": "/*/*"}},
    "transform": {"cmd": ["python3", "/edges.py"]},
}


class _Succeeded:
    """The datums of the job before, in memory: what a database adds is measured with the controller."""

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def filter(self, keys: Sequence[str]) -> set[str]:
        return self.keys.intersection(keys)


def run(harness: Harness) -> None:
    """Measure each row."""
    _skip(harness)
    _dask(harness)


def _dask(harness: Harness) -> None:
    """Run ``true`` on workers and agents that are warm."""
    place = harness.work / "dask"
    config = Config(store=(place / "store").as_uri(), state=place / "state", root=place / "root")
    datum = make_datum(config)
    sets = max(round(DASK_SETS * harness.scale), 4)
    times = []
    with (
        mock.patch.dict(os.environ, DVMOUNT_TIER="plain", DVMOUNT_MODE="checkout"),
        open_executor("dask", config, SecretStore(place / "secrets"), slots=2) as executor,
    ):
        for _ in range(1 + REPEATS):
            start = perf_counter()
            finish(executor, [batch("plain", datum, DASK_NUMBER) for _ in range(sets)])
            times.append((perf_counter() - start) / (sets * DASK_NUMBER))
    harness.record(DASK, OURS, "s", times[1:])
    shutil.rmtree(place)


def _skip(harness: Harness) -> None:
    """Put one file a datum, then enumerate, key and look up all of them."""
    place = harness.work / "datums"
    count = round(DATUMS * harness.scale)
    (parsed,) = parse(json.dumps(_SPEC))
    known = _Succeeded()
    with open_store(place.as_uri()) as store:
        contents = data.make_m1_contents(harness.work / "contents")
        store.create_repo("images")
        with store.modify("images", "master") as writer:
            paths = itertools.islice(data.m1_paths(1), count)
            writer.put_tree("/", zip(paths, itertools.cycle(contents)))
        shutil.rmtree(harness.work / "contents")
        times = []
        for _ in range(1 + REPEATS):
            start = perf_counter()
            with Scratch() as scratch:
                heads = current_heads(store, parsed.spec)
                datums = enumerate_datums(store, parsed.spec, heads, code_of(parsed.spec), scratch)
                missing = [each.datum.id for each in select(datums, known) if not each.known]
            times.append(perf_counter() - start)
            if len(missing) != (0 if known.keys else count):
                raise AssertionError(f"{len(missing)} of {count} datums would run")
            known.keys.update(missing)
    harness.record(SKIP, OURS, "s", times[1:])
    shutil.rmtree(place)
