"""Pipelines in the database: their specs, version by version, and how far their inputs have been followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from jupyter_dvmount.pipelines.datums import branches
from jupyter_dvmount.pipelines.spec import PipelineSpec
from jupyter_dvmount.store import AlreadyExists, NotFound

from .records import PipelineInfo
from .schema import about, cursors, datums, jobs, now, pipelines, results, ticks, versions


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a pipeline.

    Parameters
    ----------
    number
        From 1.
    spec
        What it runs.
    salt
        Part of the ids of its datums; another one makes everything run again.
    paused
        Whether its jobs wait.
    """

    number: int
    spec: PipelineSpec
    salt: str = ""
    paused: bool = False


def add(connection: Connection, spec: PipelineSpec) -> None:
    """Add a pipeline; `AlreadyExists` if there is one of this name."""
    query = select(pipelines.c.name).where(pipelines.c.name == spec.name)
    if connection.execute(query).one_or_none() is not None:
        raise AlreadyExists(
            f"pipeline {spec.name!r} exists already", fix=f"update pipeline changes it, or delete {spec.name}"
        )
    moment = now()
    connection.execute(insert(pipelines).values(name=spec.name, version=1, paused=False, created=moment))
    row = {"pipeline": spec.name, "version": 1, "spec": spec, "salt": "", "created": moment}
    connection.execute(insert(versions).values(row))
    wish(connection)


def revise(connection: Connection, spec: PipelineSpec, salt: str | None) -> int:
    """Give a pipeline another spec, and another salt unless it is None; the number of the new version.

    With another salt no datum has an id that it had before, so that earlier results are of no use any more.
    """
    held = version(connection, spec.name)
    number = held.number + 1
    row = {"pipeline": spec.name, "version": number, "spec": spec, "created": now()}
    connection.execute(insert(versions).values({**row, "salt": held.salt if salt is None else salt}))
    connection.execute(update(pipelines).where(pipelines.c.name == spec.name).values(version=number))
    if salt is not None:
        connection.execute(delete(results).where(results.c.pipeline == spec.name))
    wish(connection)
    return number


def pause(connection: Connection, name: str, *, paused: bool) -> None:
    """Have the jobs of a pipeline wait, or go on."""
    connection.execute(
        update(pipelines).where(pipelines.c.name == _checked(connection, name)).values(paused=paused)
    )
    wish(connection)


def remove(connection: Connection, name: str) -> None:
    """Forget a pipeline with its jobs."""
    _checked(connection, name)
    nums = select(jobs.c.num).where(jobs.c.pipeline == name).scalar_subquery()
    connection.execute(delete(datums).where(datums.c.job.in_(nums)))
    for table in (jobs, results, cursors, ticks, versions):
        connection.execute(delete(table).where(table.c.pipeline == name))
    connection.execute(delete(pipelines).where(pipelines.c.name == name))
    wish(connection)


def version(connection: Connection, name: str, number: int | None = None) -> Version:
    """The current version of a pipeline, or the one with a number; `NotFound` if there is none."""
    query = select(versions, pipelines.c.paused).join(pipelines, pipelines.c.name == versions.c.pipeline)
    wanted = pipelines.c.version if number is None else number
    row = connection.execute(
        query.where(versions.c.pipeline == name, versions.c.version == wanted)
    ).one_or_none()
    if row is None:
        raise _missing(name)
    return _version(row)


def current(connection: Connection) -> dict[str, Version]:
    """The current version of every pipeline."""
    query = select(versions, pipelines.c.paused).join(
        pipelines,
        (pipelines.c.name == versions.c.pipeline) & (pipelines.c.version == versions.c.version),
    )
    rows = connection.execute(query.order_by(pipelines.c.name))
    return {row.pipeline: _version(row) for row in rows}


def info(connection: Connection, name: str) -> PipelineInfo:
    """A pipeline as people see it, or `NotFound`."""
    for found in infos(connection, name):
        return found
    raise _missing(name)


def infos(connection: Connection, name: str = "") -> Iterator[PipelineInfo]:
    """Pipelines as people see them, by name."""
    others = jobs.alias("others")
    newest = select(func.max(others.c.num)).where(others.c.pipeline == pipelines.c.name).scalar_subquery()
    query = (
        select(
            pipelines,
            versions.c.spec,
            versions.c.created.label("updated"),
            jobs.c.id.label("job"),
            jobs.c.state.label("job_state"),
        )
        .join(
            versions,
            (pipelines.c.name == versions.c.pipeline) & (pipelines.c.version == versions.c.version),
        )
        .join(jobs, jobs.c.num == newest, isouter=True)
        .order_by(pipelines.c.name)
    )
    for row in connection.execute(query.where(pipelines.c.name == name) if name else query):
        spec: PipelineSpec = row.spec
        yield PipelineInfo(
            name=row.name,
            version=row.version,
            state="paused" if row.paused else "running",
            description=spec.description,
            created=row.created,
            updated=row.updated,
            input=tuple("@".join(pair) for pair in branches(spec)),
            output=f"{spec.name}@{spec.output_branch}",
            last_job=row.job or "",
            last_job_state=row.job_state or "",
            spec=spec,
        )


def cursors_of(connection: Connection, name: str) -> dict[tuple[str, str], str]:
    """The newest commit of each input branch that a pipeline has a job for."""
    rows = connection.execute(select(cursors).where(cursors.c.pipeline == name))
    return {(row.repo, row.branch): row.commit_id for row in rows}


def set_cursors(connection: Connection, name: str, heads: Mapping[tuple[str, str], str]) -> None:
    """Note up to which commits a pipeline has jobs; other branches keep theirs."""
    for (repo, branch), commit in heads.items():
        here = (cursors.c.pipeline == name) & (cursors.c.repo == repo) & (cursors.c.branch == branch)
        connection.execute(delete(cursors).where(here))
        connection.execute(insert(cursors).values(pipeline=name, repo=repo, branch=branch, commit_id=commit))


def wish(connection: Connection) -> None:
    """Have the controller look at the database."""
    connection.execute(update(about).values(wishes=about.c.wishes + 1))


def wishes(connection: Connection) -> int:
    """A number that changes with every `wish`."""
    found: int = connection.execute(select(about.c.wishes)).scalar_one()
    return found


def _version(row: Row[Any]) -> Version:
    return Version(number=row.version, spec=row.spec, salt=row.salt, paused=row.paused)


def _checked(connection: Connection, name: str) -> str:
    if connection.execute(select(pipelines.c.name).where(pipelines.c.name == name)).one_or_none() is None:
        raise _missing(name)
    return name


def _missing(name: str) -> NotFound:
    return NotFound(f"no pipeline {name!r}", fix="list pipeline shows those there are")
