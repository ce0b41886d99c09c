"""Row: a job on 100,000 datums none of which has changed, up to knowing that none has to run."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Sequence
from time import perf_counter

from jupyter_dvmount.pipelines.datums import code_of, current_heads, enumerate_datums, select
from jupyter_dvmount.pipelines.datums.scratch import Scratch
from jupyter_dvmount.pipelines.spec import parse
from jupyter_dvmount.store import open_store

from . import data
from .harness import Harness
from .results import OURS, Goal

DATUMS, REPEATS = 100_000, 5
SKIP = "skip 100,000 unchanged datums"
GOALS = [Goal(SKIP, 5.0)]
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
