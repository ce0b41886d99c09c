"""Handlers of commits and their files."""

from __future__ import annotations

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_dvmount.server.paging import Page, page
from jupyter_dvmount.server.parsing import DEFAULT_LIMIT, Limit
from jupyter_dvmount.store import Commit, FileInfo, VersionStore

from .base import Handler


class _CommitQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    repo: str
    ref: str


class _CommitsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    repo: str
    branch: str = ""
    after: str = ""
    limit: Limit = DEFAULT_LIMIT


class _FilesQuery(_CommitQuery, frozen=True, forbid_unknown_fields=True):
    path: str = "/"
    after: str = ""
    limit: Limit = DEFAULT_LIMIT


class CommitsHandler(Handler):
    """``/commits``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List commits, the newest first."""
        self.reply(await self.with_store(_list_commits, self.query(_CommitsQuery)))


class CommitHandler(Handler):
    """``/commit``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Inspect a commit."""
        query = self.query(_CommitQuery)
        self.reply(await self.with_store(lambda store: store.inspect_commit(query.repo, query.ref)))


class FilesHandler(Handler):
    """``/files``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List one directory of a commit."""
        self.reply(await self.with_store(_list_files, self.query(_FilesQuery)))


def _list_commits(store: VersionStore, query: _CommitsQuery) -> Page[Commit]:
    commits = store.list_commits(
        query.repo, branch=query.branch or None, after=query.after, limit=query.limit + 1
    )
    return page(commits, query.limit, lambda commit: commit.id)


def _list_files(store: VersionStore, query: _FilesQuery) -> Page[FileInfo]:
    files = store.read(query.repo, query.ref).list(query.path, after=query.after, limit=query.limit + 1)
    return page(files, query.limit, lambda file: file.name)
