"""``REPO@REF:/PATH`` as an argument: parsed by the store's own rules and completed from its contents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import click
from click.shell_completion import CompletionItem

from jupyter_dvmount.store import DEFAULT_BRANCH, Invalid, Location, StoreError, VersionStore, parse
from jupyter_dvmount.store.uri import SCHEME

from .session import Session

Part = Literal["refused", "optional", "required", "default"]
"""Whether a part may be given; ``default`` fills in the default branch."""
NEWEST = 100
"""Ids that are offered for completion."""


class LocationType(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """A place in the store.

    Parameters
    ----------
    name
        As it stands in the usage line.
    ref, path
        Which parts belong to it.
    names
        What the ref may be completed to: a branch, or a commit's id as well.
    """

    def __init__(
        self, name: str, *, ref: Part, path: bool = False, names: Literal["branch", "commit"] = "branch"
    ) -> None:
        self.name = name
        self._ref = ref
        self._path = path
        self._names = names

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """How usage lines call it."""
        return self.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Location:
        """Parse; raises `Invalid` as every face of the store does."""
        if isinstance(value, Location):
            return value
        location = parse(value)
        if self._ref == "refused" and location.ref:
            raise Invalid(f"{value!r} names a branch or commit", fix=f"give {self.name}")
        if self._ref == "required" and not location.ref:
            raise Invalid(f"{value!r} names no branch or commit", fix=f"give {self.name}")
        if not self._path and typed_path(value):
            raise Invalid(f"{value!r} names a path", fix=f"give {self.name}")
        if self._ref == "default" and not location.ref:
            return Location(repo=location.repo, ref=DEFAULT_BRANCH, path=location.path)
        return location

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Repositories and, after an ``@``, branches and the newest commits."""
        return _complete(ctx, incomplete, lambda store: self._candidates(store, incomplete))

    def _candidates(self, store: VersionStore, incomplete: str) -> Iterator[str]:
        repo, at, ref = incomplete.partition("@")
        if not at:
            return (each.name for each in store.list_repos())
        names = [branch.name for branch in store.list_branches(repo)]
        if ref and self._names == "commit":  # without a digit they would hide the branches
            names += [commit.id for commit in store.list_commits(repo, limit=NEWEST)]
        return (f"{repo}@{name}" for name in names)


class CommitSetType(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """The id of a commit set, or the beginning of one, which the store resolves."""

    name = "ID"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The newest ids."""
        return _complete(
            ctx, incomplete, lambda store: (each.id for each in store.list_commit_sets(limit=NEWEST))
        )


def _complete(
    ctx: click.Context, incomplete: str, candidates: Callable[[VersionStore], Iterable[str]]
) -> list[CompletionItem]:
    """What of the candidates begins as typed. Silent about a store that cannot be read."""
    session = Session(ctx.find_root().params.get("store"))
    try:
        return [CompletionItem(name) for name in candidates(session.store()) if name.startswith(incomplete)]
    except StoreError:
        return []
    finally:
        session.close()


def typed_path(text: str) -> str:
    """The path as it was typed, empty where none was; keeps the slash at its end, which `parse` drops."""
    if not text.startswith(SCHEME):
        return text.partition(":")[2]
    repo, at, rest = text.removeprefix(SCHEME).partition("@")
    _, slash, path = (rest if at else repo).partition("/")
    return slash + path


REPO = LocationType("REPO", ref="refused")
BRANCH = LocationType("REPO@BRANCH", ref="required")
REPO_OR_BRANCH = LocationType("REPO[@BRANCH]", ref="optional")
WRITABLE = LocationType("REPO[@BRANCH]", ref="default")
COMMIT = LocationType("REPO[@REF]", ref="default", names="commit")
FILE = LocationType("REPO[@REF][:/PATH]", ref="default", path=True, names="commit")
COMMIT_SET = CommitSetType()
