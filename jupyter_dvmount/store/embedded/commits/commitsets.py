"""Commit sets: the commits of all repos that share an id, changed together or not at all."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection, select, update

from jupyter_dvmount.store.embedded.catalog.schema import branches, commits, to_time
from jupyter_dvmount.store.errors import Conflict, Invalid, NotFound
from jupyter_dvmount.store.model import CommitRef, CommitSet
from jupyter_dvmount.store.uri import is_commit_id

from . import feed, history, provenance
from .records import repo_rows
from .refs import CANDIDATES, AnyRow, ambiguous, is_prefix


def find(connection: Connection, ref: str) -> CommitSet:
    """The set with an id, or with an id that begins so."""
    id_ = _whole_id(connection, ref)
    return _records(connection, [id_])[0]


def page(connection: Connection, after: str, limit: int) -> list[CommitSet]:
    """Sets by the start of their first commit, newest first, after an id."""
    older = commits.alias("older")
    is_first = ~select(older.c.num).where(older.c.id == commits.c.id, older.c.num < commits.c.num).exists()
    query = select(commits.c.id).where(is_first).order_by(commits.c.num.desc()).limit(limit)
    if after:
        first = _rows(connection, [_whole_id(connection, after)])[0]
        query = query.where(commits.c.num < first.num)
    return _records(connection, list(connection.execute(query).scalars()))


def squash(connection: Connection, ref: str) -> None:
    """Remove the commits of a set; what they changed stays in their children."""
    rows = _rows(connection, [_whole_id(connection, ref)])
    repo = repo_rows(connection, {row.repo for row in rows})
    for row in rows:
        _check_squash(connection, row, f"{repo[row.repo].name}@{row.id}")
    for row in rows:
        for child in _children(connection, row):
            connection.execute(update(commits).where(commits.c.num == child.num).values(parent=row.parent))
            feed.tell(
                connection, "commit", "updated", repo[row.repo].name, branch=child.branch, commit=child.id
            )
        history.remove_commit(connection, repo[row.repo], row)


def drop(connection: Connection, ref: str) -> None:
    """Remove the commits of a set with what they changed."""
    rows = _rows(connection, [_whole_id(connection, ref)])
    repo = repo_rows(connection, {row.repo for row in rows})
    for row in rows:
        _check_drop(connection, row, f"{repo[row.repo].name}@{row.id}")
    for row in rows:
        history.take_back(connection, repo[row.repo], row)


def _check_squash(connection: Connection, row: AnyRow, name: str) -> None:
    if row.state != "finished":
        raise _refused("squash", name, "it is open", "finish it first, or drop the set")
    held = select(branches.c.name).where(branches.c.repo == row.repo, branches.c.head == row.id)
    if heads := ", ".join(connection.execute(held.order_by(branches.c.name)).scalars()):
        raise _refused("squash", name, f"it is the head of {heads}", "drop the set, or move the branch")
    if not _children(connection, row):
        raise _refused("squash", name, "no commit after it would keep what it changed", "drop the set")
    _check_dependents(connection, "squash", row, name)


def _check_drop(connection: Connection, row: AnyRow, name: str) -> None:
    if children := _children(connection, row):
        after = ", ".join(child.id for child in children)
        raise _refused("drop", name, f"{after} comes after it", "squash the set, or drop that one first")
    _check_dependents(connection, "drop", row, name)


def _check_dependents(connection: Connection, verb: str, row: AnyRow, name: str) -> None:
    if dependents := provenance.dependents_of_commit(connection, row.num, row.id):
        raise _refused(verb, name, f"it is provenance of {dependents}", "drop that set first")


def _refused(verb: str, name: str, reason: str, fix: str) -> Conflict:
    return Conflict(f"cannot {verb} commit {name}: {reason}", fix=fix)


def _children(connection: Connection, row: AnyRow) -> list[AnyRow]:
    query = select(commits).where(commits.c.repo == row.repo, commits.c.parent == row.id)
    return list(connection.execute(query.order_by(commits.c.num)))


def _rows(connection: Connection, ids: list[str]) -> list[AnyRow]:
    """The commits of sets in the order in which they were started."""
    found: list[AnyRow] = []
    for batch in provenance.batches(ids):
        found.extend(connection.execute(select(commits).where(commits.c.id.in_(batch))))
    return sorted(found, key=lambda row: row.num)


def _records(connection: Connection, ids: list[str]) -> list[CommitSet]:
    rows = _rows(connection, ids)
    repo = repo_rows(connection, {row.repo for row in rows})
    of_set: dict[str, list[AnyRow]] = defaultdict(list)
    for row in rows:
        of_set[row.id].append(row)
    return [_record(of_set[id_], repo) for id_ in ids]


def _record(rows: list[AnyRow], repo: dict[int, AnyRow]) -> CommitSet:
    is_finished = all(row.state == "finished" for row in rows)
    return CommitSet(
        id=rows[0].id,
        state="finished" if is_finished else "started",
        error=next((row.error for row in rows if row.error), ""),
        started=to_time(min(row.started for row in rows)),
        finished=to_time(max(row.finished for row in rows)) if is_finished else None,
        commits=tuple(CommitRef(repo[row.repo].name, row.id) for row in rows),
    )


def _whole_id(connection: Connection, ref: str) -> str:
    """The id of the set that ``ref``, an id or the beginning of one, means."""
    if not (is_commit_id(ref) or is_prefix(ref)):
        raise Invalid(
            f"illegal id of a commit set {ref!r}", fix="give a commit's id, or at least 4 digits of it"
        )
    query = select(commits.c.id).where(commits.c.id >= ref, commits.c.id < ref + "g").distinct()
    found: list[str] = list(connection.execute(query.order_by(commits.c.id).limit(CANDIDATES + 1)).scalars())
    if not found:
        raise NotFound(f"no commit set {ref!r}", fix="list the commit sets")
    if len(found) > 1:
        raise ambiguous(ref, found)
    return found[0]
