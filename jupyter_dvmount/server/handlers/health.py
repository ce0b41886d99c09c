"""Handler of the health strip."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from .base import Handler


class HealthHandler(Handler):
    """``/health``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Tell what works here, even if nothing does."""
        self.reply(await self.backend.health())
