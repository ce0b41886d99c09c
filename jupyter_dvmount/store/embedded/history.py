"""Transactions on branches and commits: each is whole or not at all, and tells the feed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, insert, select, text, update

from jupyter_dvmount.store.base import AlreadyExists, CommitFinished, Conflict, Invalid, NotFound
from jupyter_dvmount.store.model import Commit, CommitRef
from jupyter_dvmount.store.uri import check_branch, is_commit_id

from . import feed, provenance
from .records import commit_records
from .refs import AnyRow, branch_row, commit_row, find_branch, find_commit
from .schema import branches, commits, now

_NEW_COMMIT = insert(commits).returning(commits)
_NEW_BRANCH = insert(branches)
_MOVE_BRANCH = update(branches).where(
    branches.c.repo == bindparam("of"), branches.c.name == bindparam("named")
)
_FINISH_OR_DROP = "finish it, or drop it"
_CHAIN = text(
    "WITH RECURSIVE chain(id, depth) AS (SELECT :id, 0 UNION ALL SELECT commits.parent, depth + 1 FROM chain"
    " JOIN commits ON commits.repo = :repo AND commits.id = chain.id"
    " WHERE commits.parent IS NOT NULL AND depth < :limit - 1)"
    " SELECT commits.* FROM chain JOIN commits ON commits.repo = :repo AND commits.id = chain.id"
    " ORDER BY chain.depth LIMIT :limit"
)


def create_branch(connection: Connection, repo: AnyRow, name: str, head: str | None) -> AnyRow:
    """Make a branch, or move one that exists."""
    check_branch(name)
    held = find_branch(connection, repo.num, name)
    if held is not None and head is None:
        raise AlreadyExists(f"branch {repo.name}@{name} exists already", fix="give a head to move it")
    if held is not None and held.open is not None:
        raise Conflict(f"commit {held.open} is open on {repo.name}@{name}", fix=_FINISH_OR_DROP)
    commit = commit_row(connection, repo, head) if head is not None else None
    if commit is not None and commit.state != "finished":
        raise Conflict(f"commit {commit.id} is not finished", fix="finish it first")
    set_head(connection, repo, name, commit.id if commit is not None else None, is_new=held is None)
    return branch_row(connection, repo, name)


def set_head(
    connection: Connection,
    repo: AnyRow,
    name: str,
    head: str | None,
    *,
    is_new: bool,
    open_: str | None = None,
) -> None:
    """Point a branch, made if it is new, at a finished commit and an open one."""
    values = {"head": head, "open": open_, "moved": now()}
    if is_new:
        connection.execute(_NEW_BRANCH, {"repo": repo.num, "name": name, **values})
    else:
        connection.execute(_MOVE_BRANCH, {"of": repo.num, "named": name, **values})
    feed.tell(
        connection, "branch", "created" if is_new else "updated", repo.name, branch=name, commit=head or ""
    )


def delete_branch(connection: Connection, repo: AnyRow, name: str) -> None:
    """Remove a branch."""
    branch = branch_row(connection, repo, name)
    if branch.open is not None:
        raise Conflict(f"commit {branch.open} is open on {repo.name}@{name}", fix=_FINISH_OR_DROP)
    connection.execute(delete(branches).where(branches.c.repo == repo.num, branches.c.name == name))
    feed.tell(connection, "branch", "deleted", repo.name, branch=name)


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
        raise Conflict(f"commit {branch.open} is open on {repo.name}@{name} already", fix=_FINISH_OR_DROP)
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
    if branch is None:
        set_head(connection, repo, name, None, is_new=True, open_=row.id)
    else:
        _set_open(connection, repo.name, row, row.id)
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
    connection: Connection, repo: AnyRow, row: AnyRow, message: str | None, error: str = ""
) -> AnyRow:
    """Make an open commit immutable and, unless it has an error, the head of its branch."""
    values = {"state": "finished", "finished": now(), "error": error}
    values |= {} if message is None else {"message": message}
    connection.execute(update(commits).where(commits.c.num == row.num).values(**values))
    if error:
        _set_open(connection, repo.name, row, None)
    else:
        set_head(connection, repo, row.branch, row.id, is_new=False)
    feed.tell(connection, "commit", "finished", repo.name, branch=row.branch, commit=row.id)
    return commit_row(connection, repo, row.id)


def take_back(connection: Connection, repo: str, row: AnyRow) -> None:
    """Remove a commit that has no children: the branches that point at it go back to its parent."""
    if row.state != "finished":
        _set_open(connection, repo, row, None)
    here = (branches.c.repo == row.repo) & (branches.c.head == row.id)
    for name in connection.execute(select(branches.c.name).where(here).order_by(branches.c.name)).scalars():
        feed.tell(connection, "branch", "updated", repo, branch=name, commit=row.parent or "")
    connection.execute(update(branches).where(here).values(head=row.parent, moved=now()))
    remove_commit(connection, repo, row)


def remove_commit(connection: Connection, repo: str, row: AnyRow) -> None:
    """Remove a commit that nothing refers to any more."""
    provenance.unlink(connection, commits.c.num == row.num)
    connection.execute(delete(commits).where(commits.c.num == row.num))
    feed.tell(connection, "commit", "deleted", repo, branch=row.branch, commit=row.id)


def _set_open(connection: Connection, repo: str, row: AnyRow, open_: str | None) -> None:
    """Note which commit is open on the branch of a commit, without moving its head."""
    here = (branches.c.repo == row.repo) & (branches.c.name == row.branch)
    query = update(branches).where(here).values(open=open_).returning(branches.c.head)
    head = connection.execute(query).scalar_one()
    feed.tell(connection, "branch", "updated", repo, branch=row.branch, commit=head or "")


def stage(connection: Connection, repo: AnyRow, id_: str, tree: dict[str, object]) -> AnyRow:
    """Give an open commit another tree (root, files, size)."""
    here = (commits.c.repo == repo.num) & (commits.c.id == id_)
    connection.execute(update(commits).where(here).values(**tree))
    row = commit_row(connection, repo, id_)
    feed.tell(connection, "commit", "updated", repo.name, branch=row.branch, commit=id_)
    return row


def add_finished(
    connection: Connection, repo: AnyRow, name: str, *, parent: str | None, is_new: bool, **values: object
) -> AnyRow:
    """Make a finished commit and the branch, made if it is new, point at it."""
    id_ = uuid.uuid4().hex
    row = _insert(connection, repo, name, id=id_, parent=parent, state="finished", finished=now(), **values)
    set_head(connection, repo, name, id_, is_new=is_new)
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
