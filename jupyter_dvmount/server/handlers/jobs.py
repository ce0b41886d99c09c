"""Handlers of jobs and their datums."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_dvmount.pipelines.jobs import DatumState, Job
from jupyter_dvmount.server.paging import numbered
from jupyter_dvmount.server.parsing import DEFAULT_LIMIT, Limit, Number

from .base import Handler

if TYPE_CHECKING:
    from jupyter_dvmount.pipelines.service import Pipelines


class JobQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a job, by its id or the beginning of it."""

    pipeline: str
    id: str


class _JobsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pipeline: str = ""
    id: str = ""
    after: Number | None = None
    limit: Limit = DEFAULT_LIMIT


class _DatumsQuery(JobQuery, frozen=True, forbid_unknown_fields=True):
    state: DatumState | None = None
    after: Number | None = None
    limit: Limit = DEFAULT_LIMIT


class _DatumQuery(JobQuery, frozen=True, forbid_unknown_fields=True):
    datum: str


class _Rerun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    failed: bool = False


class JobsHandler(Handler):
    """``/jobs``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List jobs, the newest first."""
        query = self.query(_JobsQuery)
        found = await self.with_pipelines(
            lambda pipelines: pipelines.jobs_part(
                query.pipeline, query.id, before=query.after, limit=query.limit
            )
        )
        self.reply(numbered(found))


class JobHandler(Handler):
    """``/job``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Inspect a job."""
        query = self.query(JobQuery)
        self.reply(await self.with_pipelines(lambda pipelines: pipelines.job(query.pipeline, query.id)))


class JobStopHandler(Handler):
    """``/job/stop``."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Have a job end at once."""
        query = self.query(JobQuery)
        self.reply(await self.with_pipelines(lambda pipelines: _stop(pipelines, query)))


class JobRerunHandler(Handler):
    """``/job/rerun``."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Make a new job on the commits of another one."""
        query = self.query(JobQuery)
        failed = self.body(_Rerun).failed
        self.reply(await self.with_pipelines(lambda pipelines: _rerun(pipelines, query, failed=failed)), 201)


class DatumsHandler(Handler):
    """``/datums``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the datums of a job."""
        query = self.query(_DatumsQuery)
        states = () if query.state is None else (query.state,)
        found = await self.with_pipelines(
            lambda pipelines: pipelines.datums_part(
                query.pipeline, query.id, *states, after=query.after, limit=query.limit
            )
        )
        self.reply(numbered(found))


class DatumHandler(Handler):
    """``/datum``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Inspect one datum of a job."""
        query = self.query(_DatumQuery)
        self.reply(
            await self.with_pipelines(
                lambda pipelines: pipelines.datum(query.pipeline, query.id, query.datum)
            )
        )


def _stop(pipelines: Pipelines, query: JobQuery) -> Job:
    pipelines.stop_job(query.pipeline, query.id)
    return pipelines.job(query.pipeline, query.id)


def _rerun(pipelines: Pipelines, query: JobQuery, *, failed: bool) -> Job:
    return pipelines.job(query.pipeline, pipelines.rerun_job(query.pipeline, query.id, failed=failed))
