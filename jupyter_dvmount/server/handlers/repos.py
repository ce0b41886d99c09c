"""Handlers of repositories and branches."""

from __future__ import annotations

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_dvmount.server.paging import Items, Page, page
from jupyter_dvmount.server.parsing import DEFAULT_LIMIT, Limit
from jupyter_dvmount.store import Branch, Repo, VersionStore

from .base import Handler


class RepoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a repository."""

    repo: str


class _ReposQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    filter: str = ""
    after: str = ""
    limit: Limit = DEFAULT_LIMIT


class _NewRepo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    description: str = ""


class _DeleteRepo(RepoQuery, frozen=True, forbid_unknown_fields=True):
    force: bool = False


class _NewBranch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    repo: str
    name: str
    head: str | None = None


class _BranchQuery(RepoQuery, frozen=True, forbid_unknown_fields=True):
    branch: str


class ReposHandler(Handler):
    """``/repos``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List repositories."""
        self.reply(await self.with_store(_list_repos, self.query(_ReposQuery)))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Make a repository."""
        new = self.body(_NewRepo)
        repo = await self.with_store(lambda store: store.create_repo(new.name, description=new.description))
        self.reply(repo, 201)


class RepoHandler(Handler):
    """``/repo``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Inspect a repository."""
        query = self.query(RepoQuery)
        self.reply(await self.with_store(lambda store: store.inspect_repo(query.repo)))

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """Delete a repository."""
        query = self.query(_DeleteRepo)
        await self.with_store(lambda store: store.delete_repo(query.repo, force=query.force))
        self.done()


class BranchesHandler(Handler):
    """``/branches``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the branches of a repository."""
        query = self.query(RepoQuery)
        branches = await self.with_store(lambda store: list(store.list_branches(query.repo)))
        self.reply(Items(branches))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Make or move a branch."""
        new = self.body(_NewBranch)
        branch = await self.with_store(lambda store: _create_branch(store, new))
        self.reply(branch, 201)


class BranchHandler(Handler):
    """``/branch``."""

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """Delete a branch."""
        query = self.query(_BranchQuery)
        await self.with_store(lambda store: store.delete_branch(query.repo, query.branch))
        self.done()


def _list_repos(store: VersionStore, query: _ReposQuery) -> Page[Repo]:
    wanted = query.filter.casefold()
    repos = store.list_repos(type="user", after=query.after)
    found = (repo for repo in repos if wanted in repo.name.casefold())
    return page(found, query.limit, lambda repo: repo.name)


def _create_branch(store: VersionStore, new: _NewBranch) -> Branch:
    return store.create_branch(new.repo, new.name, head=new.head)
