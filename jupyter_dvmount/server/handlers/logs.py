"""Handler of what jobs print."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_dvmount.pipelines.tail import LogPart

from .base import Handler
from .jobs import JobQuery

if TYPE_CHECKING:
    from jupyter_dvmount.pipelines.service import Pipelines

MAX_WAIT = 30
"""Seconds that a request may wait for the next line: proxies end silent ones after a minute."""
POLL = 0.1
"""Seconds between two looks for it."""


class _LogQuery(JobQuery, frozen=True, forbid_unknown_fields=True):
    after: str = ""
    datum: str = ""
    failed: bool = False
    wait: Annotated[float, msgspec.Meta(ge=0, le=MAX_WAIT)] = 0


class LogHandler(Handler):
    """``/log``."""

    _is_left = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Read on in what a job prints, waiting for it if asked."""
        query = self.query(_LogQuery)
        deadline = time.monotonic() + query.wait
        after = query.after
        while True:
            part = await self.with_pipelines(lambda pipelines: _read(pipelines, query, after))  # noqa: B023
            if part.items or part.ended or time.monotonic() >= deadline or self._is_left:
                break
            after = part.next
            if not part.more:
                await asyncio.sleep(POLL)
        self.reply(part)

    def on_connection_close(self) -> None:
        """Wait no longer: nobody does any more."""
        self._is_left = True


def _read(pipelines: Pipelines, query: _LogQuery, after: str) -> LogPart:
    return pipelines.log(query.pipeline, query.id, after, datum=query.datum, failed=query.failed)
