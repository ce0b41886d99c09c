"""The jobs' runs in experiment trackers: code is told which run it is, and what it has made is written down.

One thread looks at the run directories of the jobs that run: reading them takes a while, and asking a server
whom a key belongs to may take longer. The last look is made by whoever ends the job.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from jupyter_dvmount.pipelines.executors.local import LocalExecutor
from jupyter_dvmount.pipelines.jobs import Tracked, history
from jupyter_dvmount.pipelines.jobs.database import Database, Superseded
from jupyter_dvmount.pipelines.jobs.history import JobRow
from jupyter_dvmount.pipelines.jobs.specs import Version
from jupyter_dvmount.pipelines.logs import LogKey, log_name
from jupyter_dvmount.pipelines.messages import Attempt, RunPlace
from jupyter_dvmount.pipelines.runs.expected import Tracks, key_of, tracks
from jupyter_dvmount.pipelines.runs.files import RunFiles
from jupyter_dvmount.pipelines.runs.seen import find_runs, look
from jupyter_dvmount.pipelines.sandbox.plan import RUNS
from jupyter_dvmount.pipelines.secrets import SecretStore
from jupyter_dvmount.store import Location, NotFound, StoreError
from jupyter_dvmount.tracking import TrackedJob

log = logging.getLogger("jupyter_dvmount.pipelines")

LOOK = 1.0
"""Seconds between two looks at the run directories of jobs that run."""


class JobRuns:
    """The runs of one job.

    Parameters
    ----------
    row, version
        The job, which has inputs by now.
    how
        How its pipeline is tracked.
    files, secrets
        Where its runs are, and the tracker's key.
    """

    def __init__(
        self, row: JobRow, version: Version, how: Tracks, *, files: RunFiles, secrets: SecretStore
    ) -> None:
        self._row = row
        self.name = log_name(row.pipeline, row.id)
        self._files = files
        self._tracked: Tracked = row.tracking
        self._how = replace(how, settings=replace(how.settings, shared=self._tracked.shared))
        self._key = key_of(version.spec, how.tracker, secrets)
        self._marks: frozenset[str] | None = None
        self._is_over = False
        self._lock = threading.Lock()

    @property
    def num(self) -> int:
        """The job's number in the database."""
        return int(self._row.num)

    def dress(self, attempt: Attempt, number: int) -> Attempt:
        """Give an attempt the surroundings in which its code finds its run; the first one has number 1."""
        row, how = self._row, self._how
        key = self._files.free(LogKey(self.name, attempt.datum.id, number))
        read = [each for each in row.input if each.commit]
        job = TrackedJob(
            id=row.id,
            pipeline=row.pipeline,
            attempt=key.attempt,
            datum=attempt.datum.id if how.per_datum else "",
            inputs=tuple(Location(repo=each.repo, ref=each.commit).uri for each in read),
            output=Location(repo=row.output, ref=row.id).uri,
            branches=tuple(f"{each.repo}@{each.branch}" for each in read),
        )
        variables = how.tracker.environment(job, how.settings, RUNS, has_key=bool(self._key))
        place = RunPlace(key=key, provider=how.tracker.name)
        return replace(attempt, env={**attempt.env, **variables}, runs=place)

    def look(self, write: Callable[[Tracked], None], *, is_over: bool = False) -> None:
        """Find out what is known of its runs, and write it down if that is something else than before.

        Parameters
        ----------
        is_over
            Whether this is the last look, and there will be no more runs.
        """
        with self._lock:
            places = [path / self._how.tracker.run_directory for _, path in self._files.of_job(self.name)]
            marks = frozenset[str]().union(*map(self._how.tracker.marks, places))
            if self._is_over or (marks == self._marks and not is_over):
                return
            tracked = self._see(is_over=is_over)
            if tracked != self._tracked:
                write(tracked)
            self._tracked, self._marks, self._is_over = tracked, marks, is_over

    def _see(self, *, is_over: bool) -> Tracked:
        try:
            found = find_runs(self._files, self.name, self._how)
            is_known = is_over and self._row.executor in {
                "",
                LocalExecutor.name,
            }  # others keep runs elsewhere
            return look(self._tracked, found, self._how, self._key, is_over=is_known)
        except Exception:  # whatever is wrong with a tracker is no reason not to end a job
            log.exception("the runs of %s cannot be looked at", self.name)
            return self._tracked


class Tracking:
    """The runs of all jobs of a controller.

    Parameters
    ----------
    state
        The state directory.
    database, epoch
        Where what is known of runs is written down, and by which controller.
    secrets
        Keys of trackers.
    """

    def __init__(self, state: Path, database: Database, secrets: SecretStore, *, epoch: int) -> None:
        self._files = RunFiles(state / "runs")
        self._database = database
        self._secrets = secrets
        self._epoch = epoch
        self._lock = threading.Lock()
        self._jobs: dict[int, JobRuns] = {}
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()

    def begin(self, row: JobRow, version: Version) -> JobRuns | None:
        """The runs of a job whose datums are about to run, from now on looked at; None without a tracker."""
        made = self._made(row, version)
        if made is None:
            return None
        with self._lock:
            self._jobs[made.num] = made
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="dvmount-runs", daemon=True)
                self._thread.start()
        return made

    def conclude(self, row: JobRow, version: Version) -> None:
        """Look for the last time at the runs of a job that is about to end.

        Raises
        ------
        StoreError
            If the database cannot be used.
        """
        with self._lock:
            found = self._jobs.pop(row.num, None)
            busy = {each.name for each in self._jobs.values()}
        found = found or self._made(row, version)
        if found is not None:
            found.look(lambda tracked: self._write(row.num, tracked), is_over=True)
            self._files.sweep(spare={found.name, *busy})

    def close(self) -> None:
        """Look no more."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def _made(self, row: JobRow, version: Version) -> JobRuns | None:
        how = tracks(version.spec) if row.tracking is not None else None
        if how is None:
            return None
        return JobRuns(row, version, how, files=self._files, secrets=self._secrets)

    def _watch(self) -> None:
        while not self._ending.wait(LOOK):
            with self._lock:
                jobs = [*self._jobs.values()]
            for each in jobs:
                self._look(each)

    def _look(self, job: JobRuns) -> None:
        try:
            job.look(lambda tracked: self._write(job.num, tracked))
        except (NotFound, Superseded):  # the job is gone, or somebody else's
            self._forget(job)
        except StoreError as error:
            log.warning("%s; %s", error.message, error.fix)

    def _forget(self, job: JobRuns) -> None:
        with self._lock:
            self._jobs.pop(job.num, None)

    def _write(self, num: int, tracked: Tracked) -> None:
        with self._database.write(epoch=self._epoch) as connection:
            history.change(connection, num, tracking=tracked)
