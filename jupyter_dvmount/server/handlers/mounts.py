"""Handlers of mounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.mounting.model import Mount, Unmounted
from jupyter_dvmount.server.mounting import Asked
from jupyter_dvmount.server.paging import Items
from jupyter_dvmount.store import NotFound, Progress

from .base import Handler

T = TypeVar("T")


class _NewMount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    repo: str
    ref: str
    name: str | None = None
    follow: bool = False


class _Update(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ref: str | None = None
    follow: bool | None = None


class _NameQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str


class MountsHandler(Handler):
    """``/mounts``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List what is mounted."""
        self.reply(Items(await _with_mounts(self, lambda mounts: mounts.list())))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Mount a commit."""
        new = self.body(_NewMount)
        asked = Asked(
            name=new.name or new.repo.rpartition("/")[2], repo=new.repo, ref=new.ref, follow=new.follow
        )

        def work(progress: Progress) -> Mount:
            return self.backend.services.mounts().mount(
                new.repo, new.ref, name=asked.name, follow=new.follow, progress=progress
            )

        self.reply(
            await self.backend.mounting.run(asked, work, lambda: _totals(self, new.repo, new.ref)), 201
        )


class MountHandler(Handler):
    """``/mount``."""

    @web.authenticated
    @authorized
    async def patch(self) -> None:
        """Move a mount, or change whether it follows."""
        name = self.query(_NameQuery).name
        update = self.body(_Update)
        mount = await _with_mounts(self, lambda mounts: mounts.inspect(name))
        ref = update.ref or mount.branch or mount.commit
        asked = Asked(name=name, repo=mount.repo, ref=ref, follow=update.follow)

        def work(progress: Progress) -> Mount:
            return self.backend.services.mounts().update(
                name, follow=update.follow, ref=update.ref, progress=progress
            )

        self.reply(await self.backend.mounting.run(asked, work, lambda: _totals(self, asked.repo, asked.ref)))

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """Unmount; a mount that is being made is cancelled."""
        name = self.query(_NameQuery).name
        cancelled = await self.backend.mounting.stop(name)
        try:
            self.reply(await _with_mounts(self, lambda mounts: mounts.unmount(name)))
        except NotFound:
            if not cancelled:
                raise
            self.reply(Unmounted(name=name))


async def _with_mounts(handler: Handler, function: Callable[[MountManager], T]) -> T:
    return await handler.backend.call(lambda: function(handler.backend.services.mounts()))


def _totals(handler: Handler, repo: str, ref: str) -> tuple[int, int]:
    commit = handler.backend.services.open().store.inspect_commit(repo, ref)
    return commit.files, commit.size
