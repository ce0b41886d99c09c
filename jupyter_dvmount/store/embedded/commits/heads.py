"""Transactions on branches: each is whole or not at all, and tells the feed."""

from __future__ import annotations

from collections import defaultdict, deque

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select, text, update

from jupyter_dvmount.store.embedded.catalog.schema import branches, now
from jupyter_dvmount.store.errors import AlreadyExists, Conflict, Invalid
from jupyter_dvmount.store.model import ChangeAction, Trigger
from jupyter_dvmount.store.uri import check_branch

from . import feed, triggers
from .refs import AnyRow, branch_row, commit_row, find_branch, find_commit
from .triggers import Growth, Held

FINISH_OR_DROP = "finish it, or drop it"
_CHAIN = text(
    "WITH RECURSIVE chain(num, parent, depth) AS ("
    " SELECT commits.num, commits.parent, 1 FROM commits WHERE commits.num = :num"
    " UNION ALL SELECT commits.num, commits.parent, chain.depth + 1 FROM chain"
    " JOIN commits ON commits.repo = :repo AND commits.id = chain.parent"
    " WHERE chain.depth < :count AND commits.num >= :oldest)"
    " SELECT num FROM chain"
)
_ENDLESS = 1 << 40
_NEW = insert(branches)
_CHANGE = update(branches).where(branches.c.repo == bindparam("of"), branches.c.name == bindparam("named"))
_TRIGGERED = (
    select(branches)
    .where(branches.c.repo == bindparam("repo"), branches.c.trigger.is_not(None))
    .order_by(branches.c.name)
)


def create_branch(
    connection: Connection,
    growth: Growth,
    repo: AnyRow,
    name: str,
    *,
    head: str | None,
    trigger: Trigger | None,
) -> AnyRow:
    """Make a branch, or move one that exists, or give it another trigger."""
    check_branch(name)
    held = find_branch(connection, repo.num, name)
    if held is not None and head is None and trigger is None:
        raise AlreadyExists(f"branch {repo.name}@{name} exists already", fix="give a head to move it")
    if held is not None and held.open is not None and head is not None:
        raise Conflict(f"commit {held.open} is open on {repo.name}@{name}", fix=FINISH_OR_DROP)
    commit = commit_row(connection, repo, head) if head is not None else None
    if commit is not None and commit.state != "finished":
        raise Conflict(f"commit {commit.id} is not finished", fix="finish it first")
    columns = {} if trigger is None else {"trigger": _trigger_column(connection, repo, held, name, trigger)}
    if commit is None:
        write(connection, repo, name, **columns)
    else:
        move(connection, growth, repo, name, commit.id, **columns)
    return branch_row(connection, repo, name)


def delete_branch(connection: Connection, repo: AnyRow, name: str) -> None:
    """Remove a branch."""
    branch = branch_row(connection, repo, name)
    if branch.open is not None:
        raise Conflict(f"commit {branch.open} is open on {repo.name}@{name}", fix=FINISH_OR_DROP)
    connection.execute(delete(branches).where(branches.c.repo == repo.num, branches.c.name == name))
    feed.tell(connection, "branch", "deleted", repo.name, branch=name)


def move(
    connection: Connection, growth: Growth, repo: AnyRow, name: str, head: str, **columns: str | None
) -> None:
    """Point a branch, made if missing, at a finished commit, and then those that are triggered by that."""
    write(connection, repo, name, head=head, **columns)
    watching = _watching(connection, repo)
    if not watching:
        return
    moment, new = now(), commit_row(connection, repo, head)
    moved = deque([name])
    while moved:
        for row, held in watching.pop(moved.popleft(), ()):
            seen = triggers.on_clock(held, moment)
            if _takes_over(connection, growth, row, seen, new, moment=moment):
                fired = msgspec.structs.replace(seen, fired=moment)
                write(connection, repo, row.name, head=head, trigger=triggers.encode(fired))
                moved.append(row.name)
            elif seen != held:
                write(connection, repo, row.name, trigger=triggers.encode(seen))


def write(connection: Connection, repo: AnyRow, name: str, **columns: str | None) -> None:
    """Change columns of a branch, made if it is missing, and tell the feed."""
    held = find_branch(connection, repo.num, name)
    values: dict[str, object] = {**columns}
    if held is None or "head" in columns:
        values["moved"] = now()
    if held is None:
        connection.execute(_NEW, {"repo": repo.num, "name": name, **values})
    elif values:
        connection.execute(_CHANGE, {"of": repo.num, "named": name, **values})
    head = columns.get("head", None if held is None else held.head)
    action: ChangeAction = "created" if held is None else "updated"
    feed.tell(connection, "branch", action, repo.name, branch=name, commit=head or "")


def _trigger_column(
    connection: Connection, repo: AnyRow, branch: AnyRow | None, name: str, trigger: Trigger
) -> str:
    """What is stored of a trigger; one that the branch has already goes on as it is."""
    column = triggers.encode(triggers.hold(trigger))
    by_name = {row.name: held for rows in _watching(connection, repo).values() for row, held in rows}
    chain = [name, trigger.branch]
    while chain[-1] != name and chain[-1] in by_name:
        chain.append(by_name[chain[-1]].trigger.branch)
    if chain[-1] == name:
        raise Invalid(
            f"branch {repo.name}@{name} would trigger itself: {' after '.join(chain)}",
            fix="watch another branch",
        )
    held = by_name.get(name)
    return branch.trigger if branch is not None and held and held.trigger == trigger else column


def _watching(connection: Connection, repo: AnyRow) -> dict[str, list[tuple[AnyRow, Held]]]:
    """The branches of a repo that have a trigger, by the name of the branch that it watches."""
    found: dict[str, list[tuple[AnyRow, Held]]] = defaultdict(list)
    for row in connection.execute(_TRIGGERED, {"repo": repo.num}):
        held = triggers.decode(row.trigger)
        found[held.trigger.branch].append((row, held))
    return found


def _takes_over(
    connection: Connection, growth: Growth, row: AnyRow, held: Held, new: AnyRow, *, moment: int
) -> bool:
    """Whether a branch moves to a new head of the one that it watches."""
    if row.open is not None or row.head == new.id:
        return False
    old = find_commit(connection, row.repo, row.head) if row.head is not None else None
    return triggers.is_due(
        held,
        moment,
        lambda count: _has_commits(connection, new, old, count),
        lambda size: growth.reaches(None if old is None else old.root, new.root, size),
    )


def _has_commits(connection: Connection, new: AnyRow, old: AnyRow | None, count: int) -> bool:
    """Whether so many commits have led to ``new`` that have not led to ``old``."""
    newest = _chain(connection, new, count, 0)
    behind = set() if old is None else _chain(connection, old, _ENDLESS, min(newest))
    return len(newest - behind) >= count


def _chain(connection: Connection, row: AnyRow, count: int, oldest: int) -> set[int]:
    """Numbers of a commit and those before it: so many at most, and none below ``oldest``."""
    values = {"repo": row.repo, "num": row.num, "count": count, "oldest": oldest}
    return set(connection.execute(_CHAIN, values).scalars())
