"""One job on its way: which step is next, and what to do when one fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic

import msgspec
from sqlalchemy import Connection

from jupyter_dvmount.pipelines.executors import Executor
from jupyter_dvmount.pipelines.jobs import JobState, history, work
from jupyter_dvmount.pipelines.jobs.database import Database, Superseded
from jupyter_dvmount.pipelines.jobs.history import JobRow
from jupyter_dvmount.pipelines.jobs.schema import now
from jupyter_dvmount.pipelines.jobs.specs import Version, version
from jupyter_dvmount.pipelines.jobs.work import Ended
from jupyter_dvmount.pipelines.logs import LogKey, log_name
from jupyter_dvmount.pipelines.messages import Batch, Finished, Started
from jupyter_dvmount.pipelines.secrets import SecretStore
from jupyter_dvmount.store import Conflict, Denied, NotFound, StoreError, Unavailable, VersionStore

from .egress import export
from .finishing import close_output, commit_output
from .preparing import NeverThere, Stopped, inputs_of, prepare
from .running import Running
from .tidying import tidy
from .tracking import Tracking

log = logging.getLogger("jupyter_dvmount.pipelines")

EGRESS_TRIES = 5
"""Times that an output is exported before the job has failed."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0  # seconds before a step is tried again
_NAMED = 3  # failed datums in a job's reason


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What jobs are brought forward with."""

    store: VersionStore
    database: Database
    secrets: SecretStore
    epoch: int
    pool: ThreadPoolExecutor
    wake: Callable[[], object]
    executor: Callable[[], Executor]
    tracking: Tracking


class Active:
    """A job that is not over. Only the controller's thread calls it.

    Parameters
    ----------
    tools
        What it needs.
    row
        The job.
    versions
        The current version of each pipeline.
    """

    def __init__(self, tools: Tools, row: JobRow, versions: Mapping[str, Version]) -> None:
        self._tools = tools
        self._row = row
        self._version: Version | None = None
        self._is_paused = False
        self._task: Future[None] | None = None
        self._running: Running | None = None
        self._stop = threading.Event()
        self._pauses = 0
        self._not_before = 0.0
        self._deadline: float | None = None
        self._killed_because = ""
        self._again = True  # a step of an earlier controller may have been interrupted
        self._blocked = False
        self.is_over = False
        self.update(row, versions)

    @property
    def num(self) -> int:
        """The job's number in the database."""
        return int(self._row.num)

    @property
    def pipeline(self) -> str:
        """Whose job it is."""
        return str(self._row.pipeline)

    @property
    def hands_out(self) -> bool:
        """Whether it may have datums to hand out."""
        is_ready = not self._is_paused and self._task is None and monotonic() >= self._not_before
        return self._running is not None and is_ready

    @property
    def is_waiting(self) -> bool:
        """Whether nothing can be done until somebody else does something."""
        return self._task is None and (self._blocked or self._is_paused)

    @property
    def due(self) -> float | None:
        """When to look at it again at the latest, by `time.monotonic`."""
        times = [self._not_before or None, self._deadline, self._running.due() if self._running else None]
        later = [each for each in times if each is not None and each > monotonic()]
        return min(later, default=None)

    def update(self, row: JobRow, versions: Mapping[str, Version]) -> None:
        """Take up what others have changed."""
        if row.stop and not self._killed_because:
            self._killed_because = row.stop
            self._stop.set()
            self._not_before = 0.0  # whatever it waits for, that it does not need
        current = versions.get(row.pipeline)
        self._is_paused = current is not None and current.paused
        self._blocked = False
        if self._task is None:
            self._row = row

    def abandon(self) -> None:
        """The job is gone: its pipeline has been deleted."""
        self._stop.set()
        self._cancel()
        if self._task is None and (self._running is None or self._running.is_over):
            self.is_over = True
        self._killed_because = self._killed_because or "its pipeline has been deleted"

    def interrupt(self) -> None:
        """The controller ends: give up what is done in other threads."""
        self._stop.set()

    # datums

    def owns(self, attempt: str) -> bool:
        """Whether an attempt is one of its datums'."""
        return self._running is not None and self._running.where(attempt) is not None

    def begin(self, attempt: str) -> None:
        """One of its attempts has begun."""
        if self._running is not None:
            self._running.begin(attempt)

    def log_key(self, attempt: str) -> LogKey | None:
        """Where the log of one of its attempts is; None if it is another job's, or has not begun."""
        if self._running is None or not self._running.has_begun(attempt):
            return None
        waiting = self._running.where(attempt)
        if waiting is None:
            return None
        return LogKey(log_name(self.pipeline, self._row.id), waiting.datum.id, waiting.attempts + 1)

    def next(self) -> Batch | None:
        """A batch to hand out."""
        return self._running.next() if self._running is not None else None

    def take_back(self, batch: Batch) -> None:
        """A batch that nobody took."""
        if self._running is not None:
            self._running.take_back(batch)

    def give_up(self, error: StoreError) -> None:
        """Its datums cannot be run."""
        if isinstance(error, (Unavailable, Conflict)):
            self._pause(error)
        else:
            self._fail("unrunnable" if isinstance(error, NotFound) else "failure", error.line)

    def take(self, events: list[Started | Finished]) -> None:
        """Write down what has become of attempts."""
        running = self._running
        if running is None or not events:
            return
        finished = [each for each in events if isinstance(each, Finished)]
        tier = next((each.tier for each in events if isinstance(each, Started)), "")
        judged = [(each, running.judge(each)) for each in finished]
        ended = [each for _, each in judged if each is not None]
        if ended or (tier and not self._row.tier):
            try:
                with self._tools.database.write(epoch=self._tools.epoch) as connection:
                    if tier and not self._row.tier:
                        history.change(connection, self.num, tier=tier)
                    if ended:
                        self._say(connection, ended)
                        work.end_attempts(connection, self._row, ended)
                        work.tally(connection, self.num, ended)
                    row = history.row_of(connection, self.pipeline, self._row.id)
            except NotFound:  # the job is gone
                row = None
            if row is not None:
                self._row = row
        for each, end in judged:
            running.end(each, end)

    def _say(self, connection: Connection, ended: Sequence[Ended]) -> None:
        """Note what datums wait for that are tried again, until one of them succeeds."""
        lost = [each for each in ended if each.finished.outcome.failure == "infrastructure"]
        reason = f"waiting: {lost[-1].finished.outcome.reason}" if len(lost) == len(ended) else ""
        if reason != self._row.reason:
            history.change(connection, self.num, reason=reason)

    # steps

    def step(self) -> None:
        """Do what can be done now."""
        if self._task is not None:
            if not self._task.done():
                return
            self._settle(self._task)
        if self._task is not None or self.is_over or monotonic() < self._not_before:
            return
        state = self._row.state
        if state in {"created", "starting"}:
            self._begin()
        elif state == "running":
            self._run()
        elif state in {"finishing", "egressing"}:
            self._finish()

    def _begin(self) -> None:
        if self._killed_because:
            self._fail("killed", self._killed_because)
            return
        if self._is_paused or self._blocked:
            return
        try:
            inputs = inputs_of(self._tools.store, self._tools.database, self._row)
        except NeverThere as error:
            self._fail("unrunnable", str(error))
            return
        if inputs is None:
            self._blocked = True
            return
        executor = self._executor()
        if executor is None:
            return
        tools, row, held, name = self._tools, self._row, self._its_version(), executor.name
        self._start(
            lambda: prepare(
                tools.store,
                tools.database,
                tools.secrets,
                row,
                version=held,
                inputs=inputs,
                executor=name,
                epoch=tools.epoch,
                stop=self._stop,
            )
        )

    def _run(self) -> None:
        if self._running is None:
            if self._killed_because:
                self._fail("killed", self._killed_because)
                return
            executor = self._executor()
            if executor is None:
                return
            try:
                runs = self._tools.tracking.begin(self._row, self._its_version())
                self._running = Running(
                    self._tools.database, self._row, self._its_version(), slots=executor.slots, runs=runs
                )
            except StoreError as error:
                self._fail("unrunnable", error.line)
                return
            limit = self._its_version().spec.job_timeout_seconds
            if limit:
                passed = (now() - (self._row.started or now())).total_seconds()
                self._deadline = monotonic() + limit - max(passed, 0.0)  # the clock may have been set back
        if self._deadline is not None and monotonic() >= self._deadline and not self._killed_because:
            self._killed_because = (
                f"it took longer than its job_timeout of {self._its_version().spec.job_timeout}"
            )
        if self._killed_because:
            self._cancel()
        if not self._running.is_over:
            return
        self._deadline = None
        if self._killed_because:
            self._fail("killed", self._killed_because)
        elif self._row.failed:
            self._fail("failure", self._why_failed())
        else:
            self._change(state="finishing")
            self._again = False
            self._finish()

    def _executor(self) -> Executor | None:
        """What runs datums; None if it cannot be started now, which is tried again later."""
        try:
            return self._tools.executor()
        except StoreError as error:
            self._pause(error)
            return None

    def _cancel(self) -> None:
        if self._running is not None:
            executor = self._tools.executor()
            for attempt in self._running.cancel():
                executor.cancel(attempt)

    def _finish(self) -> None:
        tools, row, held = self._tools, self._row, self._its_version()
        again, self._again = self._again, True
        target = held.spec.egress.target

        def finish() -> None:
            if row.state == "finishing":
                commit_output(tools.store, tools.database, row, held, again=again)
                if target:
                    with tools.database.write(epoch=tools.epoch) as connection:
                        history.change(connection, row.num, state="egressing", reason="")
                    return
            if row.state == "egressing":
                export(tools.store.read(row.output, row.id), target)
            tools.tracking.conclude(row, held)
            with tools.database.write(epoch=tools.epoch) as connection:
                work.count(connection, row.num)
                history.end(connection, row.num, "success", row.reason if not row.total else "")
            tidy(tools.store, tools.database, row, epoch=tools.epoch)

        self._start(finish)

    def _fail(self, state: JobState, reason: str) -> None:
        """End the job without an output."""
        tools, row, held = self._tools, self._row, self._its_version()

        def fail() -> None:
            close_output(tools.store, row, reason)
            tools.tracking.conclude(row, held)
            with tools.database.write(epoch=tools.epoch) as connection:
                if row.state != "created":
                    work.count(connection, row.num)
                history.end(connection, row.num, state, reason)
            tidy(tools.store, tools.database, row, epoch=tools.epoch)

        self._running = None
        self._start(fail)

    def _why_failed(self) -> str:
        with self._tools.database.read() as connection:
            rows = work.failures(connection, self.num, _NAMED)
        shown = "; ".join(f"{row.id[:12]}: {row.reason or row.failure}" for row in rows)
        more = "; …" if self._row.failed > _NAMED else ""
        return f"{self._row.failed} of {self._row.total} datums failed: {shown}{more}"

    def _change(self, **values: object) -> None:
        tools = self._tools
        with tools.database.write(epoch=tools.epoch) as connection:
            history.change(connection, self.num, **values)
        self._reload()

    def _start(self, task: Callable[[], None]) -> None:
        self._task = self._tools.pool.submit(task)
        self._task.add_done_callback(lambda _: self._tools.wake())

    def _settle(self, task: Future[None]) -> None:
        """See how a step has ended."""
        error = task.exception()
        if error is None:
            self._task = None
            self._pauses = 0
            self._reload()
            return
        if isinstance(error, Superseded):
            raise error
        self._task = None
        self._reload()
        if self.is_over:
            return
        if isinstance(error, Stopped):
            return
        if isinstance(error, (Unavailable, Conflict, Denied)) and self._may_try_again():
            self._pause(error)
        elif isinstance(error, StoreError):
            early = self._row.state in {"created", "starting"} and isinstance(error, NotFound)
            self._fail("unrunnable" if early else "failure", error.line)
        else:
            log.error("job %s@%s", self.pipeline, self._row.id, exc_info=error)
            self._fail("failure", f"unexpected {type(error).__name__}: {error}; see the controller's log")

    def _may_try_again(self) -> bool:
        return self._row.state != "egressing" or self._pauses < EGRESS_TRIES

    def _pause(self, error: StoreError) -> None:
        """Try the step again later, and say what it waits for."""
        self._not_before = monotonic() + min(_FIRST_PAUSE * 2 ** min(self._pauses, 10), _LONGEST_PAUSE)
        self._pauses += 1
        reason = f"waiting: {error.line}"
        if reason != self._row.reason:
            self._change(reason=reason)

    def _reload(self) -> None:
        with self._tools.database.read() as connection:
            row = history.row_of(connection, self.pipeline, self._row.id)
        if row is None or row.num != self._row.num or row.finished is not None:
            self.is_over = True
        else:
            self._row = row

    def _its_version(self) -> Version:
        if self._version is None:
            with self._tools.database.read() as connection:
                self._version = version(connection, self.pipeline, self._row.version)
        return self._version
