"""What changes in the database of jobs, whoever changes it: for those who show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, or_, select

from .database import Database
from .history import job
from .records import Job, PipelineChange
from .schema import jobs, now, pipelines

RECENT = timedelta(minutes=1)
"""What happened at most so long ago is told of by the first look."""
_BATCH = 500  # numbers in one query
_TOLD = ("state", "reason", "tier", "tracking", "total", "success", "skipped", "failed", "recovered")


class Changes:
    """Finds out what has changed since it looked last; to be used by one thread at a time.

    The first look tells of the jobs that are not over or were not a minute ago, and of the pipelines made
    since then, so that nothing is missed by whoever asked for them just before.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pipelines: dict[str, Row[Any]] | None = None
        self._open: dict[int, Row[Any]] = {}
        self._newest = -1

    def look(self) -> tuple[list[PipelineChange], list[Job]]:
        """Pipelines that have changed, by name, and jobs that have, as they are now, the oldest first."""
        with self._database.read() as connection:
            return [*self._look_at_pipelines(connection)], [*self._look_at_jobs(connection)]

    def _look_at_pipelines(self, connection: Connection) -> Iterator[PipelineChange]:
        rows = connection.execute(select(pipelines).order_by(pipelines.c.name))
        after = {row.name: row for row in rows}
        old = {row.name: row for row in after.values() if row.created < now() - RECENT}
        before = self._pipelines if self._pipelines is not None else old
        self._pipelines = after
        for name in before:
            if name not in after:
                yield PipelineChange("deleted", name)
        for name, row in after.items():
            if name not in before:
                yield PipelineChange("created", name)
            elif before[name] != row:
                yield PipelineChange("updated", name)

    def _look_at_jobs(self, connection: Connection) -> Iterator[Job]:
        new = jobs.c.num > self._newest if self._newest >= 0 else jobs.c.finished > now() - RECENT
        found = {row.num: row for row in _rows(connection, or_(jobs.c.finished.is_(None), new))}
        for nums in _batches(sorted(self._open.keys() - found.keys())):
            found |= {row.num: row for row in _rows(connection, jobs.c.num.in_(nums))}
        changed = sorted(num for num, row in found.items() if self._open.get(num) != row)
        self._open = {num: row for num, row in found.items() if row.finished is None}
        self._newest = max(self._newest, 0, *found)
        for nums in _batches(changed):
            rows = connection.execute(select(jobs).where(jobs.c.num.in_(nums)).order_by(jobs.c.num))
            yield from map(job, rows)


def _rows(connection: Connection, which: ColumnElement[bool]) -> Iterable[Row[Any]]:
    """Of jobs only what may change: there may be thousands that wait."""
    columns = (jobs.c.num, jobs.c.finished, *(jobs.c[name] for name in _TOLD))
    return connection.execute(select(*columns).where(which))


def _batches(nums: Iterable[int]) -> Iterator[list[int]]:
    iterator = iter(nums)
    while batch := [*islice(iterator, _BATCH)]:
        yield batch
