"""Jobs in the database: one a pipeline and global id, from its making to its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from sqlalchemy import Connection, Row, Update, func, insert, select, update

from jupyter_dvmount.store import CommitRef, Conflict, Invalid, NotFound

from .records import FINAL, DatumCounts, Job, JobInput, JobState, Part, Tracked
from .schema import jobs, now
from .specs import wish

JobRow = Row[Any]
_PAGE = 200
_SHORTEST = 4  # digits of an id that name a job, as with commits


def add(
    connection: Connection,
    pipeline: str,
    id: str,
    version: int,
    inputs: tuple[JobInput, ...],
    *,
    anew: bool = False,
    tracking: Tracked | None = None,
) -> None:
    """Make a job; with ``anew`` all of its datums run."""
    row = {
        "pipeline": pipeline,
        "id": id,
        "version": version,
        "input": inputs,
        "anew": anew,
        "tracking": tracking,
    }
    connection.execute(insert(jobs).values(**row, state="created", created=now()))
    wish(connection)


def row_of(connection: Connection, pipeline: str, id: str) -> JobRow | None:
    """The job of a pipeline with an id."""
    return connection.execute(select(jobs).where(jobs.c.pipeline == pipeline, jobs.c.id == id)).one_or_none()


def find(connection: Connection, pipeline: str, id: str) -> JobRow:
    """The job of a pipeline with an id or the beginning of one, or `NotFound`."""
    if len(id) < _SHORTEST:
        raise Invalid(f"illegal id of a job {id!r}", fix=f"give at least {_SHORTEST} digits of it")
    query = select(jobs).where(jobs.c.pipeline == pipeline, jobs.c.id.startswith(id, autoescape=True))
    found = connection.execute(query.limit(2)).all()
    if not found:
        raise NotFound(f"no job {pipeline}@{id}", fix="list job shows those there are")
    if len(found) > 1:
        raise Conflict(f"{pipeline}@{id} names several jobs", fix="give more digits")
    return found[0]


def unfinished(connection: Connection) -> list[JobRow]:
    """Jobs that are not over, oldest first."""
    return list(connection.execute(select(jobs).where(jobs.c.finished.is_(None)).order_by(jobs.c.num)))


def newest(connection: Connection, pipeline: str, *, unfinished: bool = False) -> JobRow | None:
    """The newest job of a pipeline that is over, or the newest that is not."""
    over = jobs.c.finished.is_(None) if unfinished else jobs.c.finished.is_not(None)
    query = select(jobs).where(jobs.c.pipeline == pipeline, over).order_by(jobs.c.num.desc())
    return connection.execute(query.limit(1)).one_or_none()


def ended(connection: Connection, pipeline: str) -> int:
    """How many jobs of a pipeline are over."""
    query = select(func.count()).where(jobs.c.pipeline == pipeline, jobs.c.finished.is_not(None))
    number: int = connection.execute(query).scalar_one()
    return number


def listing(
    connection: Connection, pipeline: str = "", id: str = "", before: int | None = None, limit: int = _PAGE
) -> list[JobRow]:
    """A page of jobs, newest first: of a pipeline, with an id or the beginning of one."""
    query = select(jobs).order_by(jobs.c.num.desc()).limit(limit)
    if pipeline:
        query = query.where(jobs.c.pipeline == pipeline)
    if id:
        query = query.where(jobs.c.id.startswith(id, autoescape=True))
    if before is not None:
        query = query.where(jobs.c.num < before)
    return list(connection.execute(query))


def change(connection: Connection, num: int, **values: object) -> None:
    """Change a job that is not over.

    Raises
    ------
    NotFound
        If it is over or gone: its pipeline has been deleted.
    """
    if connection.execute(_open(num).values(**values)).rowcount != 1:
        raise NotFound("the job is over or its pipeline has been deleted")


def end(connection: Connection, num: int, state: JobState, reason: str = "") -> None:
    """End a job, once."""
    assert state in FINAL
    connection.execute(_open(num).values(state=state, reason=reason, finished=now()))
    wish(connection)


def request_stop(connection: Connection, row: JobRow, reason: str) -> None:
    """Have a job end."""
    if row.finished is not None:
        raise Conflict(
            f"job {row.pipeline}@{row.id} is over already: {row.state}", fix="rerun job runs it again"
        )
    change(connection, row.num, stop=reason)
    wish(connection)


def job(row: JobRow) -> Job:
    """A row as everybody else sees it."""
    return Job(
        pipeline=row.pipeline,
        id=row.id,
        state=cast(JobState, row.state),
        reason=row.reason,
        version=row.version,
        created=row.created,
        started=row.started,
        finished=row.finished,
        datums=DatumCounts(
            total=row.total,
            success=row.success,
            skipped=row.skipped,
            failed=row.failed,
            recovered=row.recovered,
        ),
        input=row.input,
        output_commit=CommitRef(row.output, row.id) if row.output else None,
        tier=row.tier,
        executor=row.executor,
        tracking=row.tracking,
    )


def part(connection: Connection, pipeline: str, id: str, before: int | None, limit: int) -> Part[Job]:
    """Some jobs, newest first, and the number before which the next ones are."""
    rows = listing(connection, pipeline, id, before, limit + 1)
    return Part([*map(job, rows[:limit])], rows[limit - 1].num if len(rows) > limit else None)


def pages(read: Any, pipeline: str = "", id: str = "") -> Iterator[Job]:
    """Jobs, newest first, a page in memory at a time; ``read`` makes connections."""
    before = None
    while True:
        with read() as connection:
            rows = listing(connection, pipeline, id, before)
        yield from map(job, rows)
        if len(rows) < _PAGE:
            return
        before = rows[-1].num


def _open(num: int) -> Update:
    return update(jobs).where(jobs.c.num == num, jobs.c.finished.is_(None))
