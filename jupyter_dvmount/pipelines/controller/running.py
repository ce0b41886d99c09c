"""The datums of one job while they are run: what is handed out, what comes back, what is tried again."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from time import monotonic

import msgspec
from msgspec.structs import replace

from jupyter_dvmount.pipelines.datums import in_sets, set_size
from jupyter_dvmount.pipelines.jobs import work
from jupyter_dvmount.pipelines.jobs.database import Database
from jupyter_dvmount.pipelines.jobs.history import JobRow
from jupyter_dvmount.pipelines.jobs.specs import Version
from jupyter_dvmount.pipelines.jobs.work import Ended, Waiting
from jupyter_dvmount.pipelines.kept import meta_repo
from jupyter_dvmount.pipelines.messages import Attempt, Batch, Finished
from jupyter_dvmount.pipelines.plans import plan_of
from jupyter_dvmount.store.uri import project_of

from .tracking import JobRuns

LARGEST = 32
"""Datums that are handed out together where the spec says nothing: their outputs are stored together."""
SHARES = 4
"""Sets a slot into which a small job is cut, so that no slot is idle while another has a queue."""
INFRASTRUCTURE_TRIES = 20
"""Failures of what a datum runs on after which it counts as failed: after some seven minutes."""
_PAGE = 500
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 30.0  # seconds between two tries after such a failure


class _Set(msgspec.Struct):
    """Datums that were handed out together and are not all back."""

    left: int


class _Out(msgspec.Struct):
    """An attempt that is not over.

    Parameters
    ----------
    waiting
        Its datum.
    together
        The set that it was handed out with.
    is_begun
        Whether it has begun, or is the first of its set: whoever dies with a set has not met the others.
    """

    waiting: Waiting
    together: _Set
    is_begun: bool


class Running:
    """The datums of a job.

    Parameters
    ----------
    database
        Where they are.
    row, version
        The job, in state ``running``.
    slots
        How many sets the executor runs at a time.
    runs
        Its runs in an experiment tracker, if it is tracked.
    """

    def __init__(
        self, database: Database, row: JobRow, version: Version, *, slots: int, runs: JobRuns | None = None
    ) -> None:
        spec = version.spec
        self._database = database
        self._row = row
        self._spec = spec
        self._plan = plan_of(spec)
        self._runs = runs
        self._tries = max(spec.datum_tries, 1)
        self._most = spec.parallelism_spec.constant or None
        waiting = row.total - row.skipped
        default = max(1, min(LARGEST, waiting // (slots * SHARES)))
        self._number = set_size(
            spec.datum_set_spec, total=waiting, workers=self._most or slots, default=default
        )
        self._after = -1
        self._sets = self._read()
        self._is_read = False
        self._again: list[tuple[float, int, Waiting]] = []
        self._out: dict[str, _Out] = {}
        self._out_sets = 0
        self._cancelling = False

    @property
    def attempts(self) -> set[str]:
        """Ids of the attempts that are not over."""
        return set(self._out)

    @property
    def is_over(self) -> bool:
        """Whether nothing is out and nothing is left to hand out."""
        return not self._out and (self._cancelling or (self._is_read and not self._again))

    def due(self) -> float | None:
        """When the next datum is tried again, by `time.monotonic`; None for never."""
        return self._again[0][0] if self._again and not self._cancelling else None

    def next(self) -> Batch | None:
        """What to hand out now, if there is anything."""
        if self._cancelling or (self._most is not None and self._out_sets >= self._most):
            return None
        chosen = self._next_set()
        if not chosen:
            return None
        row, together = self._row, _Set(len(chosen))
        attempts: list[Attempt] = []
        for each in chosen:
            attempt = Attempt(id=os.urandom(8).hex(), datum=each.datum)
            if self._runs is not None:
                attempt = self._runs.dress(attempt, each.attempts + 1)
            self._out[attempt.id] = _Out(each, together, is_begun=not attempts)
            attempts.append(attempt)
        self._out_sets += 1
        return Batch(
            job=row.id,
            output_commit=row.id,
            project=project_of(self._spec.name),
            pipeline=self._spec.pipeline.name,
            plan=self._plan,
            output_repo=meta_repo(self._spec.name),
            attempts=tuple(attempts),
            image_required=self._spec.transform.image_required,
        )

    def take_back(self, batch: Batch) -> None:
        """Have a batch handed out later that nobody took."""
        for attempt in batch.attempts:
            waiting = self._remove(attempt.id)
            if waiting is not None:
                heapq.heappush(self._again, (0.0, waiting.num, waiting))

    def where(self, attempt: str) -> Waiting | None:
        """The datum of an attempt that is out."""
        found = self._out.get(attempt)
        return found.waiting if found is not None else None

    def begin(self, attempt: str) -> None:
        """An attempt has begun."""
        if attempt in self._out:
            self._out[attempt].is_begun = True

    def has_begun(self, attempt: str) -> bool:
        """Whether an attempt that is out may have met its datum."""
        return attempt in self._out and self._out[attempt].is_begun

    def judge(self, finished: Finished) -> Ended | None:
        """What the end of an attempt makes of its datum; None if that ends with the job. Changes nothing."""
        waiting = self.where(finished.attempt)
        outcome = finished.outcome
        if waiting is None or (outcome.state == "cancelled" and self._cancelling):
            return None
        tries = waiting.tries + (outcome.failure in {"user", "oom", "timeout"})
        attempts = waiting.attempts + self.has_begun(finished.attempt)
        ended = Ended(
            num=waiting.num,
            datum=waiting.datum.id,
            finished=finished,
            state="starting",
            attempts=attempts,
            tries=tries,
        )
        if outcome.state in {"success", "recovered"}:
            return replace(ended, state="success" if outcome.state == "success" else "recovered")
        if tries >= self._tries or attempts - tries >= INFRASTRUCTURE_TRIES:
            return replace(ended, state="failed")
        return ended

    def end(self, finished: Finished, ended: Ended | None) -> None:
        """Go on after the end of an attempt has been written down."""
        waiting = self._remove(finished.attempt)
        if waiting is None or ended is None or ended.state != "starting":
            return
        unlucky = ended.attempts - ended.tries
        is_users = ended.tries > waiting.tries
        pause = 0.0 if is_users else min(_FIRST_PAUSE * 2**unlucky, _LONGEST_PAUSE)
        again = Waiting(waiting.num, waiting.datum, ended.attempts, ended.tries)
        heapq.heappush(self._again, (monotonic() + pause, waiting.num, again))

    def cancel(self) -> set[str]:
        """Hand nothing out any more; the attempts that have to be cancelled."""
        self._cancelling = True
        return set(self._out)

    def _remove(self, attempt: str) -> Waiting | None:
        found = self._out.pop(attempt, None)
        if found is None:
            return None
        found.together.left -= 1
        self._out_sets -= found.together.left == 0
        return found.waiting

    def _next_set(self) -> list[Waiting]:
        again: list[Waiting] = []
        while self._again and self._again[0][0] <= monotonic() and len(again) < self._number:
            again.append(heapq.heappop(self._again)[2])
        if again or self._is_read:
            return again
        try:
            found = next(self._sets, None)
        except BaseException:
            self._sets = self._read()  # a generator that has raised is over
            raise
        if found is None:
            self._is_read = True
            return []
        self._after = found[-1].num
        return found

    def _read(self) -> Iterator[list[Waiting]]:
        return in_sets(self._pages(), number=self._number, size_bytes=self._spec.datum_set_spec.size_bytes)

    def _pages(self) -> Iterator[Waiting]:
        after = self._after
        while True:
            with self._database.read() as connection:
                page = work.waiting(connection, self._row.num, after, _PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].num
