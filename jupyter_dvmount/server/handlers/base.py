"""What every handler is made of: authentication, JSON both ways, calls that do not block the event loop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec
from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_dvmount.server.backend import Backend
from jupyter_dvmount.server.errors import describe
from jupyter_dvmount.server.parsing import parse_body, parse_query
from jupyter_dvmount.store import NotFound, StoreError, VersionStore

if TYPE_CHECKING:
    from jupyter_dvmount.pipelines.service import Pipelines

log = logging.getLogger("jupyter_dvmount.server")

SETTING = "jupyter_dvmount_backend"
"""Key of the `Backend` in the web application's settings."""

T = TypeVar("T")


class Handler(APIHandler):
    """Base of the handlers: they parse, call one function and render.

    Each verb of a handler is ``@web.authenticated`` outermost, then ``@authorized``.
    """

    auth_resource = "dvmount"

    @property
    def backend(self) -> Backend:
        """What all requests share."""
        return cast(Backend, self.settings[SETTING])

    def on_finish(self) -> None:
        """Tell listeners soon of what has been changed."""
        super().on_finish()
        if self.request.method not in {"GET", "HEAD", "OPTIONS"} and self.get_status() < 300:
            self.backend.poke()

    def query(self, type: type[T]) -> T:
        """The query string, validated."""
        return parse_query(self.request.query_arguments, type)

    def body(self, type: type[T]) -> T:
        """The JSON body, validated."""
        return parse_body(self.request.body, type)

    async def with_store(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call ``function(store, *arguments)`` off the event loop."""

        def call() -> T:
            store: VersionStore = self.backend.services.open().store
            return function(store, *arguments)

        return await self.backend.call(call)

    async def with_pipelines(self, function: Callable[[Pipelines], T]) -> T:
        """Call ``function(pipelines)`` off the event loop."""
        return await self.backend.call(lambda: function(self.backend.services.pipelines()))

    def reply(self, value: object, status: int = 200) -> None:
        """Answer with a record as JSON."""
        self.set_status(status)
        self.finish(msgspec.json.encode(value))

    def done(self) -> None:
        """Answer that it is done and there is nothing to tell."""
        self.set_status(204)
        self.finish()

    def set_default_headers(self) -> None:
        """What is listed may be different a moment later."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    # errors: https://www.tornadoweb.org/en/stable/guide/structure.html#error-handling

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Give an error of the store its own status."""
        status, _ = describe(status_code, _raised(kwargs))
        super().send_error(status, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with what failed, why and what to do; never with a traceback."""
        _, body = describe(status_code, _raised(kwargs))
        self.finish(msgspec.json.encode(body))

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log an error of the store in one line, since it is no fault of the server."""
        if isinstance(value, StoreError):
            log.info("%s %s: %s", self.request.method, self.request.path, value.message)
        else:
            super().log_exception(typ, value, tb)


class UnknownRoute(Handler):
    """Whatever else is asked for below our prefix."""

    async def prepare(self) -> None:  # type: ignore[override]  # as in APIHandler
        """Refuse it, as JSON too."""
        await super().prepare()
        if not self.current_user:
            raise web.HTTPError(403)
        raise NotFound(f"there is no route {self.request.path}", fix="see docs/server.md")


def _raised(kwargs: dict[str, Any]) -> BaseException | None:
    raised = kwargs.get("exc_info")
    return raised[1] if raised else None
