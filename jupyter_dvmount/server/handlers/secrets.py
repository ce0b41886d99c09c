"""Handlers of secrets: their values come in and never go out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_dvmount.config import load_config
from jupyter_dvmount.pipelines.secrets import SecretStore
from jupyter_dvmount.server.paging import Items

from .base import Handler

T = TypeVar("T")


class _NewSecret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    values: dict[str, str]


class _SecretQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str


class SecretsHandler(Handler):
    """``/secrets``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the secrets, by name and keys."""
        self.reply(Items(await _with_secrets(self, lambda secrets: [*secrets.list()])))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Store a secret."""
        new = self.body(_NewSecret)
        values = {key: value.encode() for key, value in new.values.items()}
        self.reply(await _with_secrets(self, lambda secrets: secrets.create(new.name, values)), 201)


class SecretHandler(Handler):
    """``/secret``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Inspect a secret, without its values."""
        name = self.query(_SecretQuery).name
        self.reply(await _with_secrets(self, lambda secrets: secrets.inspect(name)))

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """Delete a secret."""
        name = self.query(_SecretQuery).name
        await _with_secrets(self, lambda secrets: secrets.delete(name))
        self.done()


async def _with_secrets(handler: Handler, function: Callable[[SecretStore], T]) -> T:
    """Call ``function(secrets)`` off the event loop; secrets are there whatever state the store is in."""
    return await handler.backend.call(lambda: function(SecretStore(load_config().state / "secrets")))
