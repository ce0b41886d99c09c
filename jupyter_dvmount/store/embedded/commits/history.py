"""Transactions on commits: each is whole or not at all, and tells the feed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, select, text, update

from jupyter_dvmount.store.embedded.catalog.schema import branches, commits, now
from jupyter_dvmount.store.errors import AlreadyExists, CommitFinished, Conflict, Invalid, NotFound
from jupyter_dvmount.store.model import Commit, CommitRef
from jupyter_dvmount.store.uri import check_branch, is_commit_id

from . import feed, heads, provenance
from .records import commit_records
from .refs import AnyRow, branch_row, commit_row, find_branch, find_commit
from .triggers import Growth

_NEW_COMMIT = insert(commits).returning(commits)
_CHAIN = text(
    "WITH RECURSIVE chain(id, depth) AS (SELECT id, 0 FROM commits WHERE repo = :repo AND id = :id"
    " UNION ALL SELECT commits.parent, depth + 1 FROM chain"
    " JOIN commits ON commits.repo = :repo AND commits.id = chain.id"
    " WHERE commits.parent IS NOT NULL AND depth < :limit - 1)"
    " SELECT commits.* FROM chain JOIN commits ON commits.repo = :repo AND commits.id = chain.id"
    " ORDER BY chain.depth LIMIT :limit"
)


def start_commit(
    connection: Connection,
    repo: AnyRow,
    name: str,
    *,
    id_: str | None = None,
    upstream: Iterable[CommitRef] = (),
    **values: str,
) -> AnyRow:
    """Open a commit on a branch, made if missing."""
    check_branch(name)
    if id_ is not None:
        _check_new(connection, repo, id_)
    branch = find_branch(connection, repo.num, name)
    if branch is not None and branch.open is not None:
        raise Conflict(
            f"commit {branch.open} is open on {repo.name}@{name} already", fix=heads.FINISH_OR_DROP
        )
    head = branch.head if branch is not None else None
    parent = find_commit(connection, repo.num, head) if head else None
    row = _insert(
        connection,
        repo,
        name,
        id=id_ or uuid.uuid4().hex,
        parent=head,
        state="started",
        root=parent.root if parent is not None else None,
        size=parent.size if parent is not None else 0,
        files=parent.files if parent is not None else 0,
        started=now(),
        **values,
    )
    provenance.link(connection, row.num, upstream)
    heads.write(connection, repo, name, open=row.id)
    feed.tell(connection, "commit", "started", repo.name, branch=name, commit=row.id)
    return row


def _check_new(connection: Connection, repo: AnyRow, id_: str) -> None:
    if not is_commit_id(id_):
        raise Invalid(f"illegal commit id {id_!r}", fix="give 32 lower-case hex digits, or none at all")
    if find_commit(connection, repo.num, id_) is not None:
        raise AlreadyExists(f"commit {repo.name}@{id_} exists already", fix="give another id")


def open_commit(connection: Connection, repo: AnyRow, ref: str) -> AnyRow:
    """The open commit of a branch, or the one with this id.

    Raises
    ------
    NotFound
        If the branch has none open.
    CommitFinished
        If the commit is finished.
    """
    branch = find_branch(connection, repo.num, ref)
    if branch is not None:
        if branch.open is None:
            raise NotFound(f"no commit is open on {repo.name}@{ref}", fix="start one")
        ref = branch.open
    row = commit_row(connection, repo, ref)
    if row.state == "finished":
        raise CommitFinished(
            f"commit {row.id} is finished and cannot change",
            fix=f"write to its branch {row.branch!r} instead",
        )
    return row


def finish_commit(
    connection: Connection, growth: Growth, repo: AnyRow, row: AnyRow, *, message: str | None, error: str
) -> AnyRow:
    """Make an open commit immutable and, unless it has an error, the head of its branch."""
    values = {"state": "finished", "finished": now(), "error": error}
    values |= {} if message is None else {"message": message}
    connection.execute(update(commits).where(commits.c.num == row.num).values(**values))
    if error:
        heads.write(connection, repo, row.branch, open=None)
    else:
        heads.move(connection, growth, repo, row.branch, row.id, open=None)
    feed.tell(connection, "commit", "finished", repo.name, branch=row.branch, commit=row.id)
    return commit_row(connection, repo, row.id)


def take_back(connection: Connection, repo: AnyRow, row: AnyRow) -> None:
    """Remove a commit that has no children: the branches that point at it go back to its parent."""
    if row.state != "finished":
        heads.write(connection, repo, row.branch, open=None)
    query = select(branches.c.name).where(branches.c.repo == repo.num, branches.c.head == row.id)
    for name in connection.execute(query.order_by(branches.c.name)).scalars().all():
        heads.write(connection, repo, name, head=row.parent)
    remove_commit(connection, repo, row)


def remove_commit(connection: Connection, repo: AnyRow, row: AnyRow) -> None:
    """Remove a commit that nothing refers to any more."""
    provenance.unlink(connection, commits.c.num == row.num)
    connection.execute(delete(commits).where(commits.c.num == row.num))
    feed.tell(connection, "commit", "deleted", repo.name, branch=row.branch, commit=row.id)


def stage(connection: Connection, repo: AnyRow, id_: str, tree: dict[str, object]) -> AnyRow:
    """Give an open commit another tree (root, files, size)."""
    here = (commits.c.repo == repo.num) & (commits.c.id == id_)
    connection.execute(update(commits).where(here).values(**tree))
    row = commit_row(connection, repo, id_)
    feed.tell(connection, "commit", "updated", repo.name, branch=row.branch, commit=id_)
    return row


def add_finished(
    connection: Connection, growth: Growth, repo: AnyRow, name: str, *, parent: str | None, **values: object
) -> AnyRow:
    """Make a finished commit and the branch, made if it is new, point at it."""
    id_ = uuid.uuid4().hex
    row = _insert(connection, repo, name, id=id_, parent=parent, state="finished", finished=now(), **values)
    heads.move(connection, growth, repo, name, id_)
    feed.tell(connection, "commit", "finished", repo.name, branch=name, commit=id_)
    return row


def commit_page(
    connection: Connection, repo: AnyRow, branch: str | None, after: str, limit: int
) -> list[Commit]:
    """Commits of a repo, or of a branch, newest first, after an id."""
    last = find_commit(connection, repo.num, after) if after else None
    if after and last is None:
        raise NotFound(f"no commit {after!r} in repo {repo.name!r}", fix="list again from the newest")
    if branch is None:
        query = select(commits).where(commits.c.repo == repo.num).order_by(commits.c.num.desc()).limit(limit)
        rows = connection.execute(query if last is None else query.where(commits.c.num < last.num))
    else:
        start = branch_row(connection, repo, branch).head if last is None else last.parent
        rows = connection.execute(_CHAIN, {"repo": repo.num, "id": start, "limit": limit})
    return commit_records(connection, rows)


def _insert(connection: Connection, repo: AnyRow, branch: str, **values: object) -> AnyRow:
    defaults = {"repo": repo.num, "branch": branch, "origin": "user", "error": ""}
    return connection.execute(_NEW_COMMIT, {**defaults, **values}).one()
