"""Handlers of pipelines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_dvmount.pipelines.jobs import Job, PipelineInfo
from jupyter_dvmount.pipelines.spec import PipelineSpec, parse
from jupyter_dvmount.server.explaining import explain_page
from jupyter_dvmount.server.paging import Items
from jupyter_dvmount.server.parsing import DEFAULT_LIMIT, Limit, Number

from .base import Handler

if TYPE_CHECKING:
    from jupyter_dvmount.pipelines.service import Pipelines


class SpecBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The text of a file with specs: JSON, JSON with comments or YAML."""

    spec: str


class _Update(SpecBody, frozen=True, forbid_unknown_fields=True):
    reprocess: bool = False


class _Explain(SpecBody, frozen=True, forbid_unknown_fields=True):
    after: Number = 0
    limit: Limit = DEFAULT_LIMIT


class _State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    paused: bool


class _PipelineQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str


class _Deletion(_PipelineQuery, frozen=True, forbid_unknown_fields=True):
    keep_output: bool = False
    force: bool = False


class Checked(msgspec.Struct, frozen=True):
    """A valid spec: the pipeline's name, and a sentence on each field that has no effect."""

    name: str
    warnings: tuple[str, ...]


class PipelinesHandler(Handler):
    """``/pipelines``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the pipelines."""
        self.reply(Items(await self.with_pipelines(lambda pipelines: [*pipelines.all()])))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Make pipelines."""
        text = self.body(SpecBody).spec
        made = await self.with_pipelines(lambda pipelines: _put(pipelines, text, pipelines.create))
        self.reply(Items(made), 201)

    @web.authenticated
    @authorized
    async def put(self) -> None:
        """Change pipelines, or make those that there are not."""
        body = self.body(_Update)
        changed = await self.with_pipelines(
            lambda pipelines: _put(
                pipelines, body.spec, lambda specs: pipelines.update(specs, reprocess=body.reprocess)
            )
        )
        self.reply(Items(changed))


class PipelinesCheckHandler(Handler):
    """``/pipelines/check``."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Say whether a text could become pipelines, and what of it has no effect."""
        text = self.body(SpecBody).spec
        self.reply(Items(await self.with_pipelines(lambda pipelines: _check(pipelines, text))))


class PipelinesExplainHandler(Handler):
    """``/pipelines/explain``."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Say of each datum of a text's pipelines whether it would run, and why."""
        body = self.body(_Explain)
        services = self.backend.services
        self.reply(
            await self.with_pipelines(
                lambda pipelines: explain_page(
                    pipelines,
                    services.open().store,
                    [each.spec for each in parse(body.spec)],
                    body.after,
                    body.limit,
                )
            )
        )


class PipelineHandler(Handler):
    """``/pipeline``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Inspect a pipeline."""
        name = self.query(_PipelineQuery).name
        self.reply(await self.with_pipelines(lambda pipelines: pipelines.inspect(name)))

    @web.authenticated
    @authorized
    async def patch(self) -> None:
        """Have a pipeline begin nothing new, or let it go on."""
        name = self.query(_PipelineQuery).name
        paused = self.body(_State).paused
        self.reply(await self.with_pipelines(lambda pipelines: _pause(pipelines, name, paused=paused)))

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """Delete a pipeline with its jobs and its output."""
        query = self.query(_Deletion)
        await self.with_pipelines(
            lambda pipelines: pipelines.delete(query.name, keep_output=query.keep_output, force=query.force)
        )
        self.done()


class PipelineRunHandler(Handler):
    """``/pipeline/run``."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Make a job by hand, on the inputs as they are."""
        name = self.query(_PipelineQuery).name
        self.reply(await self.with_pipelines(lambda pipelines: _run(pipelines, name)), 201)


def _put(pipelines: Pipelines, text: str, put: Callable[[list[PipelineSpec]], None]) -> list[PipelineInfo]:
    """Make or change what a text describes."""
    specs = [each.spec for each in parse(text)]
    put(specs)
    return [pipelines.inspect(spec.name) for spec in specs]


def _check(pipelines: Pipelines, text: str) -> list[Checked]:
    parsed = parse(text)
    pipelines.check([each.spec for each in parsed])
    return [Checked(each.spec.name, each.warnings) for each in parsed]


def _pause(pipelines: Pipelines, name: str, *, paused: bool) -> PipelineInfo:
    pipelines.pause(name, paused=paused)
    return pipelines.inspect(name)


def _run(pipelines: Pipelines, name: str) -> Job:
    return pipelines.job(name, pipelines.run(name))
