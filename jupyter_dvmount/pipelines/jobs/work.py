"""Datums in the database: what a job has to do, what has been done, and which results may be taken over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec
from sqlalchemy import Connection, Row, Select, bindparam, case, delete, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from jupyter_dvmount.pipelines.datums import Code
from jupyter_dvmount.pipelines.messages import Finished, Output
from jupyter_dvmount.pipelines.model import Datum, DatumInput
from jupyter_dvmount.store import Conflict, NotFound

from .database import Database
from .history import JobRow, newest
from .records import DatumInfo, DatumState, Part
from .schema import datums, jobs, now, results

KEPT_JOBS = 20
"""Jobs of a pipeline whose datums can be listed."""
_PAGE = 500


class Waiting(msgspec.Struct, frozen=True):
    """A datum that has to run: its number in the job, how often it was tried, and how often that counts."""

    num: int
    datum: Datum
    attempts: int = 0
    tries: int = 0

    @property
    def size(self) -> int:
        """Bytes of its inputs."""
        return self.datum.size


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that is over, and what that makes of its datum.

    Parameters
    ----------
    num
        Number of the datum in the job.
    datum
        Its id.
    finished
        How the attempt ended.
    state
        Of the datum now; ``starting`` if it is tried again.
    attempts, tries
        With this one.
    """

    num: int
    datum: str
    finished: Finished
    state: DatumState
    attempts: int
    tries: int


class Results:
    """The results of a pipeline's datums in all of its jobs: the `Known` of `select`."""

    def __init__(self, database: Database, pipeline: str) -> None:
        self._database = database
        self._pipeline = pipeline

    def filter(self, keys: Sequence[str]) -> set[str]:
        """Those of these ids that succeeded."""
        return set(self.outputs(keys))

    def outputs(self, keys: Sequence[str]) -> dict[str, Output | None]:
        """What those of these ids that succeeded have written; None for nothing."""
        query = select(results.c.datum, results.c.output)
        query = query.where(results.c.pipeline == self._pipeline, results.c.datum.in_(keys))
        with self._database.read() as connection:
            return {row.datum: row.output for row in connection.execute(query)}


class EarlierJobs(Results):
    """What `explain` wants to know of a pipeline's jobs."""

    def __init__(self, database: Database, pipeline: str) -> None:
        super().__init__(database, pipeline)
        with database.read() as connection:
            self._row = newest(connection, pipeline)

    @property
    def job(self) -> str:
        """Id of the newest job that is over, or empty."""
        return self._row.id if self._row is not None else ""

    @property
    def code(self) -> Code | None:
        """The code of that job."""
        return self._row.code if self._row is not None else None

    def datums(self) -> Iterator[Datum]:
        """The datums of that job."""
        if self._row is not None:
            yield from (Datum(row.id, row.inputs) for row in _rows(self._database, self._row.num))


def clear(connection: Connection, job: int) -> None:
    """Forget the datums of a job that begins anew."""
    connection.execute(delete(datums).where(datums.c.job == job))


def prune(connection: Connection, pipeline: str) -> None:
    """Forget the datums of a pipeline's old jobs; what they have succeeded in stays known.

    Those of the newest success stay: the next output is made by its difference to that one.
    """
    over = select(jobs.c.num).where(jobs.c.pipeline == pipeline, jobs.c.finished.is_not(None))
    old = over.order_by(jobs.c.num.desc()).offset(KEPT_JOBS).subquery()
    succeeded = (jobs.c.pipeline == pipeline) & (jobs.c.state == "success")
    newest = connection.execute(select(func.max(jobs.c.num)).where(succeeded)).scalar_one()
    is_old = datums.c.job.in_(select(old.c.num)) & (datums.c.job != (newest or 0))
    connection.execute(delete(datums).where(is_old))


def commits_in_use(database: Database, pipeline: str) -> set[str]:
    """Commits with outputs of a pipeline's datums that a job may still take over or show."""
    mine = select(jobs.c.num).where(jobs.c.pipeline == pipeline).scalar_subquery()
    queries = (
        select(results.c.output).where(results.c.pipeline == pipeline, results.c.output.is_not(None)),
        select(datums.c.output).where(datums.c.job.in_(mine), datums.c.output.is_not(None)),
    )
    found: set[str] = set()
    with database.read() as connection:
        for query in queries:
            rows = connection.execution_options(yield_per=_PAGE).execute(query)
            found.update(output.commit for output in rows.scalars())
    return found


def is_kept(connection: Connection, row: JobRow) -> bool:
    """Whether the datums of a job have not been forgotten."""
    query = select(datums.c.num).where(datums.c.job == row.num).limit(1)
    return row.total == 0 or connection.execute(query).one_or_none() is not None


def fill(
    connection: Connection, job: int, first: int, chosen: Sequence[Datum], known: Mapping[str, Output | None]
) -> None:
    """Add datums to a job; those with known results are skipped.

    Parameters
    ----------
    first
        Number of the first of them.
    known
        What those have written whose results are taken over.
    """
    rows = [
        {
            "job": job,
            "num": num,
            "id": each.id,
            "inputs": each.inputs,
            "state": "skipped" if each.id in known else "starting",
            "output": known.get(each.id),
        }
        for num, each in enumerate(chosen, start=first)
    ]
    connection.execute(_dialect(connection).insert(datums).on_conflict_do_nothing(), rows)


def waiting(connection: Connection, job: int, after: int, limit: int) -> list[Waiting]:
    """Datums that have to run, by number."""
    query = select(datums.c.num, datums.c.id, datums.c.inputs, datums.c.attempts, datums.c.tries)
    here = (datums.c.job == job) & (datums.c.state == "starting") & (datums.c.num > after)
    rows = connection.execute(query.where(here).order_by(datums.c.num).limit(limit))
    return [Waiting(row.num, Datum(row.id, row.inputs), row.attempts, row.tries) for row in rows]


_END = (
    update(datums)
    .where(datums.c.job == bindparam("of_job"), datums.c.num == bindparam("of_num"))
    .values(
        {
            name: bindparam(f"new_{name}", type_=datums.c[name].type)
            for name in [
                "state",
                "output",
                "tries",
                "attempts",
                "failure",
                "reason",
                "exit_code",
                "started",
                "finished",
                "seconds",
                "cpu_seconds",
                "memory",
            ]
        }
    )
)


def end_attempts(connection: Connection, row: JobRow, ended: Sequence[Ended]) -> None:
    """Note how attempts ended; what succeeded becomes a result."""
    moment = now()
    changes, made = [], []
    for each in ended:
        outcome = each.finished.outcome
        new = {
            "state": each.state,
            "output": each.finished.output,
            "tries": each.tries,
            "attempts": each.attempts,
            "failure": outcome.failure,
            "reason": outcome.reason,
            "exit_code": outcome.exit_code,
            "started": moment.fromtimestamp(moment.timestamp() - outcome.seconds, moment.tzinfo),
            "finished": moment,
            "seconds": outcome.seconds,
            "cpu_seconds": outcome.cpu_seconds,
            "memory": outcome.memory,
        }
        changes.append(
            {"of_job": row.num, "of_num": each.num, **{f"new_{name}": value for name, value in new.items()}}
        )
        if each.state == "success":
            made.append({"pipeline": row.pipeline, "datum": each.datum, "output": each.finished.output})
    connection.execute(_END, changes)
    if made:
        _keep(connection, made)


def count(connection: Connection, job: int) -> dict[str, int]:
    """Write down how many datums of a job are in which state."""
    states = ("success", "skipped", "failed", "recovered")
    sums = [func.coalesce(func.sum(case((datums.c.state == state, 1), else_=0)), 0) for state in states]
    row = connection.execute(select(func.count(), *sums).where(datums.c.job == job)).one()
    counts = dict(zip(("total", *states), row, strict=True))
    connection.execute(update(jobs).where(jobs.c.num == job).values(counts))
    return counts


class Written(msgspec.Struct, frozen=True):
    """What a datum has written."""

    datum: str
    inputs: tuple[DatumInput, ...]
    output: Output


def written(database: Database, job: int, *, without: int | None = None) -> Iterator[Written]:
    """What the datums of a job have written, in order; not what another job has got from the same datum."""
    here, other = datums, datums.alias("other")
    query = select(here.c.num, here.c.id, here.c.inputs, here.c.output)
    query = query.where(here.c.job == job, here.c.output.is_not(None))
    query = query.where(here.c.state.in_(("success", "skipped")))
    if without is not None:
        same = (other.c.job == without) & (other.c.id == here.c.id) & (other.c.output == here.c.output)
        query = query.where(~exists().where(same))
    query = query.order_by(here.c.num).limit(_PAGE)
    after = -1
    while True:
        with database.read() as connection:
            rows = connection.execute(query.where(here.c.num > after)).all()
        yield from (Written(row.id, row.inputs, row.output) for row in rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1].num


def tally(connection: Connection, job: int, ended: Sequence[Ended]) -> None:
    """Add datums that have just got a final state to the sums of their job."""
    sums = Counter(each.state for each in ended if each.state != "starting")
    if sums:
        more = {state: jobs.c[state] + number for state, number in sums.items()}
        connection.execute(update(jobs).where(jobs.c.num == job).values(more))


def failures(connection: Connection, job: int, limit: int) -> list[Row[Any]]:
    """Datums that failed, by number."""
    query = select(datums).where(datums.c.job == job, datums.c.state == "failed")
    return list(connection.execute(query.order_by(datums.c.num).limit(limit)))


def infos(database: Database, row: JobRow, states: Sequence[DatumState] = ()) -> Iterator[DatumInfo]:
    """The datums of a job, in order; only those in some states, if given."""
    return (info(row, each) for each in _rows(database, row.num, states))


def part(
    connection: Connection, row: JobRow, states: Sequence[DatumState], after: int | None, limit: int
) -> Part[DatumInfo]:
    """Some datums of a job, in order, and the number after which the next ones are."""
    rows = connection.execute(_after(row.num, states, after, limit + 1)).all()
    found = [info(row, each) for each in rows[:limit]]
    return Part(found, rows[limit - 1].num if len(rows) > limit else None)


def find(connection: Connection, row: JobRow, id: str) -> DatumInfo:
    """One datum of a job by its id or the beginning of it, or `NotFound`."""
    here = (datums.c.job == row.num) & datums.c.id.startswith(id, autoescape=True)
    found = connection.execute(select(datums).where(here).limit(2)).all()
    if not found:
        raise NotFound(
            f"job {row.pipeline}@{row.id} has no datum {id!r}", fix=f"list datum {row.pipeline}@{row.id}"
        )
    if len(found) > 1:
        raise Conflict(f"{id!r} names several datums", fix="give more digits")
    return info(row, found[0])


def info(job: JobRow, row: Row[Any]) -> DatumInfo:
    """A row as everybody else sees it."""
    return DatumInfo(
        pipeline=job.pipeline,
        job=job.id,
        id=row.id,
        state=cast(DatumState, row.state),
        reason=row.reason,
        failure=row.failure,
        exit_code=row.exit_code,
        attempts=row.attempts,
        started=row.started,
        finished=row.finished,
        seconds=row.seconds,
        cpu_seconds=row.cpu_seconds,
        memory=row.memory,
        inputs=row.inputs,
        output=row.output,
    )


def _rows(database: Database, job: int, states: Sequence[DatumState] = ()) -> Iterator[Row[Any]]:
    after = None
    while True:
        with database.read() as connection:
            rows = connection.execute(_after(job, states, after, _PAGE)).all()
        yield from rows
        if len(rows) < _PAGE:
            return
        after = rows[-1].num


def _after(job: int, states: Sequence[DatumState], after: int | None, limit: int) -> Select[Any]:
    """The datums of a job after a number, in order."""
    query = select(datums).where(datums.c.job == job).order_by(datums.c.num).limit(limit)
    if states:
        query = query.where(datums.c.state.in_(states))
    return query if after is None else query.where(datums.c.num > after)


def _keep(connection: Connection, made: list[dict[str, Any]]) -> None:
    """Make outputs results, in the place of older ones of the same datums."""
    statement = _dialect(connection).insert(results)
    newer = {"output": statement.excluded.output}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["pipeline", "datum"], set_=newer), made
    )


def _dialect(connection: Connection) -> Any:
    return sqlite if connection.dialect.name == "sqlite" else postgresql
