"""Kills what runs pipelines at random moments while commits come in, and compares with a run in peace."""

from __future__ import annotations

import logging
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from sqlalchemy import select

from jupyter_dvmount.pipelines.jobs import FINAL
from jupyter_dvmount.pipelines.jobs.schema import results
from tests.integration.pipelines.dask_cluster import DaskCluster, wait_for
from tests.integration.pipelines.lab import Lab
from tests.integration.pipelines.sandboxes import running
from tests.integration.pipelines.test_controller import check_whole, source

log = logging.getLogger("tests.storm")

VICTIMS = {
    "controller": "jupyter_dvmount.pipelines.controller",
    "agent": "jupyter_dvmount.pipelines.agent",
    "keeper": "jupyter_dvmount.pipelines.sandbox.keeper",
}
"""What can be killed: the modules that its processes run."""
OF_DASK = ("worker", "scheduler")
"""What can be killed besides where datums run on Dask."""
NAMES = 24
"""Files that come, change and go: as many datums at most."""
LULL, LAG = (0.05, 3.0), (0.05, 2.5)
"""Seconds between two kills, and between two commits."""
LULL_OF_DASK, LAG_OF_DASK = (0.2, 6.0), (0.2, 5.0)
"""The same where much has to be started again after a kill."""
WORKERS = 2
PATIENCE = 300.0
"""Seconds in which everything has to be done after the last kill."""
_TICK = 0.02

Change = dict[str, str | None]


class Storm:
    """Two pipelines, one below the other, whose code writes down each time that it runs.

    Parameters
    ----------
    work
        An empty directory.
    seed
        Of what is random.
    tier, jobs
        The sandbox, and the database of jobs.
    on_dask
        Whether datums run on a Dask cluster, with a scheduler and `WORKERS` workers, instead of this machine.
    """

    def __init__(self, work: Path, *, seed: int, tier: str, jobs: str, on_dask: bool = False) -> None:
        self._random = random.Random(seed)
        self._work = work
        self._nap = f"0.1{os.getpid():07}"  # seconds; found among the arguments of processes
        self._dask = _start_dask(work, tier) if on_dask else None
        settings = {"executor": "dask", "dask": self._dask.address} if self._dask is not None else {}
        self._lull, self._lag = (LULL_OF_DASK, LAG_OF_DASK) if on_dask else (LULL, LAG)
        self._lab = Lab(work / "storm", tier=tier, jobs=jobs, **settings)
        self._changes: list[Change] = []
        self._commits: list[str] = []
        self._there: set[str] = set()
        self._done: dict[str, int] = {}
        self.killed: Counter[str] = Counter()

    def rage(self, seconds: float, victims: Sequence[str]) -> None:
        """Commit and kill for a while, then let everything come to its end."""
        lab = self._lab
        self._commit(self._change(everything=True))
        self._create(lab)
        lab.start()
        end = time.monotonic() + seconds
        next_kill = next_commit = time.monotonic()
        while (moment := time.monotonic()) < end:
            if moment >= next_kill:
                self._kill(self._random.choice(victims))
                next_kill = time.monotonic() + self._random.uniform(*self._lull)
            if moment >= next_commit:
                self._commit(self._change())
                next_commit = time.monotonic() + self._random.uniform(*self._lag)
            time.sleep(_TICK)
        log.info("killed %s; %d commits", dict(self.killed), len(self._changes))
        lab.until(lambda: all(each.state in FINAL for each in lab.pipelines.jobs()), seconds=PATIENCE)

    def check(self) -> None:
        """Assert what is promised."""
        lab = self._lab
        check_whole(lab)
        log.info("each commit has one job and one output, in order, and the store is whole")
        again = {datum for datum, runs in self._done.items() if self._runs()[datum] != runs}
        assert not again, f"run again although finished: {again}"
        log.info("none of %d finished datums ran again", len(self._done))
        for job in lab.pipelines.jobs():
            states = Counter(each.state for each in lab.pipelines.datums(job.pipeline, job.id))
            counts = Counter({state: getattr(job.datums, state) for state in ("success", "skipped")})
            assert not states or counts == states, job  # older jobs have forgotten them
        log.info("the sums of jobs are those of their datums")
        assert running(self._nap) == []
        if self._dask is not None:
            self._dask.start_worker()
            wait_for(self._dask.is_tidy)  # what killed workers have left is removed by the next one
            self._dask.close()
        lab.close()
        assert [*lab.config.state.glob("**/scratch/*")] == []
        log.info("no process and no scratch directory is left")
        calm = self._in_peace()
        storm = Lab(lab.root, jobs=lab.config.jobs)
        for number, (commit, other) in enumerate(zip(self._commits, calm, strict=True)):
            for pipeline in ("upper", "all"):
                assert storm.files(pipeline, commit) == other[pipeline], (number, pipeline, commit)
        storm.close()
        log.info("all outputs of %d commits are those of a run in peace", len(calm))

    def _in_peace(self) -> list[dict[str, dict[str, str]]]:
        """The outputs of the same commits, by pipeline."""
        lab = Lab(self._work / "peace")
        first, *others = self._changes
        commits = [lab.put("in", **first)]
        self._create(lab)
        commits += [lab.put("in", **each) for each in others]
        lab.once()
        found = [{name: lab.files(name, commit) for name in ("upper", "all")} for commit in commits]
        lab.close()
        return found

    def _create(self, lab: Lab) -> None:
        trace = _trace(lab)
        script = (
            f"echo $PACH_DATUM_ID >> '{trace}'; sleep {self._nap};"
            " tr a-z A-Z < $data > $PFS_OUT/$(basename $data)"
        )
        lab.create("upper", script, source("in"), datum_set_spec={"number": 4})
        script = f"echo $PACH_DATUM_ID >> '{trace}'; cat $data/* > $PFS_OUT/all"
        lab.create("all", script, source("upper", "/"))

    def _change(self, *, everything: bool = False) -> Change:
        """Some files with new contents, which no datum has seen, and one that goes."""
        draw, number = self._random, len(self._changes)
        names = [f"file{each:02}" for each in range(NAMES)]
        chosen = names if everything else draw.sample(names, draw.randint(1, 6))
        change: Change = {name: f"{name} of commit {number}\n" for name in chosen}
        if not everything and len(self._there) > NAMES // 2:
            change[draw.choice(sorted(self._there))] = None
        self._there |= change.keys()
        self._there -= {name for name, text in change.items() if text is None}
        return change

    def _commit(self, change: Change) -> None:
        self._changes.append(change)
        self._commits.append(self._lab.put("in", **change))

    def _kill(self, victim: str) -> None:
        lab = self._lab
        if victim == "controller":
            lab.kill()
            self._note()
            lab.start()
        elif victim == "worker" and self._dask is not None:
            self._random.choice(self._dask.alive()).kill()
            self._note()
            self._dask.start_worker()
        elif victim == "scheduler" and self._dask is not None:
            self._dask.scheduler.kill()
            self._note()
            self._dask.restart_scheduler()
            for _ in range(WORKERS):  # the others end with their scheduler
                self._dask.start_worker()
        else:
            found = [each for each in lab.descendants() if _runs(each, VICTIMS[victim])]
            if not found:
                return
            self._random.choice(found).kill()
            self._note()
        self.killed[victim] += 1

    def _note(self) -> None:
        """Remember what has finished by now, and how often that has run."""
        runs = self._runs()
        with self._lab.database.read() as connection:
            for datum in connection.execute(select(results.c.datum)).scalars():
                self._done.setdefault(datum, runs[datum])

    def _runs(self) -> Counter[str]:
        trace = _trace(self._lab)
        return Counter(trace.read_text().split()) if trace.exists() else Counter()


def _start_dask(work: Path, tier: str) -> DaskCluster:
    """A cluster whose processes are known by the directory of the lab's state."""
    environment = {"DVMOUNT_TIER": tier, "DVMOUNT_MODE": "checkout"}
    return DaskCluster(work / "storm" / "state" / "dask", WORKERS, environment=environment)


def _trace(lab: Lab) -> Path:
    """Where the code of a lab's pipelines writes down the datums that it runs on."""
    return lab.root / "trace"


def _runs(process: psutil.Process, module: str) -> bool:
    with suppress(psutil.Error):
        return module in process.cmdline()
    return False
