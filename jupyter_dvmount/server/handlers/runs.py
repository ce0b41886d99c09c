"""Handler of the runs of jobs in experiment trackers."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_dvmount.server.paging import Items

from .base import Handler
from .jobs import JobQuery


class RunsHandler(Handler):
    """``/runs``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the runs of a job, with their last values and curves."""
        query = self.query(JobQuery)
        self.reply(
            Items(await self.with_pipelines(lambda pipelines: pipelines.runs(query.pipeline, query.id)))
        )
