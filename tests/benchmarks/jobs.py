"""Rows of jobs: how soon a commit's datum starts, a stopped job is dead, a killed controller replaced."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from tests.integration.pipelines.lab import Lab
from tests.integration.pipelines.sandboxes import running

from .harness import Harness
from .results import OURS, Goal

START = "commit → first datum starts"
STOP = "stop job → whole tree dead"
KILL = "kill -9 of the controller in mid-job → going on"
RATE = "job of 2,000 datums, tier C: a datum"
SKIP = "job on 100,000 unchanged datums, from start to output"
GOALS = [Goal(START, 0.5), Goal(STOP, 1.0), Goal(KILL, 5.0), Goal(RATE, 0.01), Goal(SKIP, 5.0)]
REPEATS = 5
DATUMS, UNCHANGED = 2_000, 100_000
_POLL = 0.005


def run(harness: Harness) -> None:
    """Start a controller and agents for each row; agents are warm."""
    for name, measure in {START: _starts, STOP: _stops, KILL: _kills}.items():
        harness.record(name, OURS, "s", _in_a_lab(harness, measure))
    count = max(round(DATUMS * harness.scale), 20)
    harness.record(RATE, OURS, "s", _in_a_lab(harness, lambda lab: _rate(lab, count)))
    count = max(round(UNCHANGED * harness.scale), 100)
    harness.record(SKIP, OURS, "s", _in_a_lab(harness, lambda lab: _skips(lab, count)))


def _in_a_lab(harness: Harness, measure: Callable[[Lab], list[float]]) -> list[float]:
    lab = Lab(harness.work / f"lab-{os.urandom(4).hex()}")
    try:
        return measure(lab)
    finally:
        lab.close()


def _source(glob: str = "/") -> dict[str, Any]:
    return {"pfs": {"repo": "in", "glob": glob, "name": "data"}}


def _starts(lab: Lab) -> list[float]:
    lab.put("in", a="0")
    lab.create("p", "date +%s.%N > $PFS_OUT/time", _source())
    lab.start()
    lab.wait("p")
    lab.wait("p", lab.put("in", a="1"))
    times = []
    for number in range(REPEATS):
        commit = lab.put("in", a=f"again {number}")
        begin = time.time()
        lab.wait("p", commit)
        times.append(float(lab.files("p", commit)["/time"]) - begin)
    return times


def _stops(lab: Lab) -> list[float]:
    lab.put("in", a="0")
    lab.start()
    times = []
    for number in range(REPEATS):
        marker = f"616.{os.getpid()}{number}"
        lab.create(f"p{number}", f"setsid sleep {marker} & sleep {marker}", _source())
        lab.until(lambda marker=marker: len(running(marker)) == 2)
        begin = time.perf_counter()
        lab.pipelines.stop_job(f"p{number}", lab.newest(f"p{number}").id)
        while running(marker):
            time.sleep(_POLL)
        times.append(time.perf_counter() - begin)
    return times


def _kills(lab: Lab) -> list[float]:
    lab.put("in", **{str(number): str(number) for number in range(REPEATS * 100)})
    lab.create("p", "sleep 0.1; touch $PFS_OUT/$(basename $data)", _source("/*"))
    lab.start()
    times = []
    for _ in range(REPEATS):
        done = lab.newest("p").datums.done
        lab.until(lambda done=done: lab.newest("p").datums.done > done)
        lab.kill()
        done = lab.newest("p").datums.done
        begin = time.perf_counter()
        lab.start()
        lab.until(lambda done=done: lab.newest("p").datums.done > done)
        times.append(time.perf_counter() - begin)
    return times


def _rate(lab: Lab, count: int) -> list[float]:
    _fill(lab, count)
    lab.put("one", a="0")
    lab.start()
    lab.create("warm", "true", {"pfs": {"repo": "one", "glob": "/", "name": "data"}})
    lab.wait("warm")
    begin = time.perf_counter()
    lab.create("p", "true", _source("/*/*"))
    job = lab.wait("p", seconds=600)
    if job.datums.success != count:
        raise AssertionError(job)
    return [(time.perf_counter() - begin) / count]


def _skips(lab: Lab, count: int) -> list[float]:
    """The same datums under another commit; only the database says that they succeeded once."""
    from sqlalchemy import insert

    from jupyter_dvmount.pipelines.datums import code_of, current_heads, enumerate_datums
    from jupyter_dvmount.pipelines.datums.scratch import Scratch
    from jupyter_dvmount.pipelines.jobs import specs
    from jupyter_dvmount.pipelines.jobs.schema import results

    _fill(lab, count)
    lab.create("p", "true", _source("/*/*"))
    with lab.database.read() as connection:
        spec = specs.version(connection, "p").spec
    with Scratch() as scratch:
        datums = enumerate_datums(lab.store, spec, current_heads(lab.store, spec), code_of(spec), scratch)
        rows = [{"pipeline": "p", "datum": each.id, "output": None} for each in datums]
    with lab.database.write() as connection:
        connection.execute(insert(results), rows)
    lab.start()
    times = []
    for number in range(1 + REPEATS):
        commit = lab.put("in", beside=str(number)) if number else lab.newest("p").id
        job = lab.wait("p", commit, seconds=600)
        if job.datums.skipped != count or job.started is None or job.finished is None:
            raise AssertionError(job)
        times.append((job.finished - job.started).total_seconds())
    return times[1:]


def _fill(lab: Lab, count: int) -> None:
    lab.store.create_repo("in")
    with lab.store.modify("in", "master") as writer:
        for number in range(count):
            writer.put(f"/{number // 1000}/{number}", str(number).encode())
