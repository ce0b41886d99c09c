"""A block of changes becomes part of an open commit, or a commit of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec
from sqlalchemy import Connection

from jupyter_dvmount.store.embedded.catalog import Overtaken
from jupyter_dvmount.store.embedded.catalog.schema import now
from jupyter_dvmount.store.embedded.commits import history
from jupyter_dvmount.store.embedded.commits.records import commit_record
from jupyter_dvmount.store.embedded.commits.refs import AnyRow, find_branch, find_commit, repo_row
from jupyter_dvmount.store.embedded.commits.triggers import Growth
from jupyter_dvmount.store.embedded.journal.log import Journal
from jupyter_dvmount.store.embedded.parts import Parts
from jupyter_dvmount.store.errors import Conflict, NotFound
from jupyter_dvmount.store.uri import check_branch, is_commit_id

from .epoch import current_epoch
from .session import PackSession
from .writer import Resolve, Writer

_TRIES = 100  # every failure means that somebody else got through


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where changes go, as it is at one moment.

    Parameters
    ----------
    branch, is_new
        The branch, and whether it has to be made.
    head
        The branch's head; irrelevant for an open commit.
    open
        The open commit that is written to, or None for a commit of its own.
    root
        The tree that the changes are made on.
    """

    branch: str
    is_new: bool = False
    head: str | None = None
    open: str | None = None
    root: bytes | None = None


def find_target(connection: Connection, repo: AnyRow, ref: str) -> Target:
    """Read where changes to ``ref`` would go now."""
    branch = find_branch(connection, repo.num, ref)
    if branch is None and not is_commit_id(ref):
        return Target(branch=check_branch(ref), is_new=True)
    if branch is None or branch.open is not None:
        row = history.open_commit(connection, repo, ref)
        return Target(branch=row.branch, open=row.id, root=row.root)
    head = find_commit(connection, repo.num, branch.head) if branch.head else None
    return Target(branch=ref, head=branch.head, root=head.root if head is not None else None)


@contextmanager
def modify(parts: Parts, resolve: Resolve, repo: str, ref: str, **values: str) -> Iterator[Writer]:
    """Run a block of changes on ``ref`` and commit them if it ends well.

    Parameters
    ----------
    parts
        The store.
    resolve
        Opens the commits that are copied from.
    repo, ref
        What is changed.
    values
        Message and author of a commit of its own.
    """
    with parts.catalog.read() as connection:
        row = repo_row(connection, repo)
        started = now()
        target = find_target(connection, row, ref)
        epoch = current_epoch(connection)
    session = PackSession(parts.blobs, parts.catalog, parts.chunks, epoch)
    try:
        writer = Writer(session, parts.nodes.load, target.root, resolve)
        yield writer
        _Change(parts.journal, session, row, target, {**values, "started": started}).publish(writer)
    finally:
        session.close()


class _Change:
    """Moves the target from the state that the writer saw to the one that it made."""

    def __init__(
        self, journal: Journal, session: PackSession, repo: AnyRow, target: Target, values: dict[str, object]
    ) -> None:
        self._journal = journal
        self._session = session
        self._repo = repo
        self._target = target
        self._values = values

    def publish(self, writer: Writer) -> None:
        """Commit, after replaying the changes on what others have done meanwhile."""
        growth = Growth(writer.load)
        for _ in range(_TRIES):
            root = writer.write_tree()
            files, size = writer.usage()
            now_there = self._target
            change = self._journal.change("cannot commit", repo=self._repo.num)
            with suppress(Overtaken), growth.measuring(), change as connection:
                now_there = self._look(connection)
                if now_there == self._target:
                    self._session.register(connection)
                    row = self._move(connection, growth, {"root": root, "files": files, "size": size})
                    commit = commit_record(connection, row)
                    break
            if now_there != self._target:
                writer.rebase(now_there.root)
                self._target = now_there
        else:
            raise Conflict(f"{self._repo.name}@{self._target.branch} changes too fast", fix="try again")
        writer.made(commit)

    def _look(self, connection: Connection) -> Target:
        """The target as it is now; raises if it is not what the changes were meant for any more."""
        repo = repo_row(connection, self._repo.name)
        if repo.num != self._repo.num:
            raise NotFound(f"repo {repo.name!r} was deleted meanwhile", fix="try again with the new one")
        seen = self._target
        there = find_target(connection, repo, seen.open or seen.branch)
        if there.open != seen.open:
            raise Conflict(
                f"commit {there.open} was started on {repo.name}@{seen.branch} meanwhile",
                fix="try again to write to it, or finish it first",
            )
        if there.is_new and not seen.is_new:
            raise Conflict(
                f"branch {repo.name}@{seen.branch} was deleted meanwhile", fix="try again to make it anew"
            )
        return there

    def _move(self, connection: Connection, growth: Growth, tree: dict[str, object]) -> AnyRow:
        target = self._target
        if target.open is None:
            return history.add_finished(
                connection,
                growth,
                self._repo,
                target.branch,
                parent=target.head,
                **self._values,
                **tree,
            )
        return history.stage(connection, self._repo, target.open, tree)
