"""Which commits were computed from which: links between the commits of all repos."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select

from jupyter_dvmount.store.embedded.catalog.schema import commits, provenance, repos
from jupyter_dvmount.store.errors import Conflict, NotFound
from jupyter_dvmount.store.model import CommitRef

from .refs import find_commit, repo_row

T = TypeVar("T")
_BATCH = 500  # values named in one statement
_NAMED = 5  # commits named in a refusal
_ABOVE, _BELOW = commits.alias("above"), commits.alias("below")  # the two ends of a link


def link(connection: Connection, num: int, upstream: Iterable[CommitRef]) -> None:
    """Note what a commit is computed from.

    Raises
    ------
    NotFound, Conflict
        If one of them does not exist, or is not finished.
    """
    numbers = dict.fromkeys(_finished(connection, ref) for ref in upstream)
    if numbers:
        connection.execute(insert(provenance), [{"downstream": num, "upstream": up} for up in numbers])


def unlink(connection: Connection, which: ColumnElement[bool]) -> None:
    """Forget all links of commits that are going to be removed."""
    numbers = select(commits.c.num).where(which)
    ends = or_(provenance.c.downstream.in_(numbers), provenance.c.upstream.in_(numbers))
    connection.execute(delete(provenance).where(ends))


def direct(connection: Connection, numbers: Sequence[int]) -> dict[int, list[CommitRef]]:
    """What each of some commits was computed from directly, by the commit's number."""
    found: dict[int, list[CommitRef]] = defaultdict(list)
    for batch in batches(numbers):
        query = (
            select(provenance.c.downstream, repos.c.name, commits.c.id)
            .join(commits, commits.c.num == provenance.c.upstream)
            .join(repos, repos.c.num == commits.c.repo)
            .where(provenance.c.downstream.in_(batch))
            .order_by(repos.c.name, commits.c.num)
        )
        for row in connection.execute(query):
            found[row.downstream].append(CommitRef(row.name, row.id))
    return found


def upstream(connection: Connection, num: int) -> list[int]:
    """Numbers of all commits that a commit was computed from, nearest first."""
    return _reached(connection, num, provenance.c.downstream, provenance.c.upstream)


def downstream(connection: Connection, num: int) -> list[int]:
    """Numbers of all commits that were computed from a commit, nearest first."""
    return _reached(connection, num, provenance.c.upstream, provenance.c.downstream)


def dependents_of_repo(connection: Connection, repo: int) -> str:
    """The commits of other repos that were computed from those of a repo, by name; empty without."""
    return _dependents(connection, _ABOVE.c.repo == repo, _BELOW.c.repo != repo)


def dependents_of_commit(connection: Connection, num: int, id_: str) -> str:
    """The commits of other commit sets that were computed from a commit, by name; empty without."""
    return _dependents(connection, _ABOVE.c.num == num, _BELOW.c.id != id_)


def batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Parts of a sequence that fit into one statement."""
    return (values[start : start + _BATCH] for start in range(0, len(values), _BATCH))


def _dependents(connection: Connection, of_above: ColumnElement[bool], of_below: ColumnElement[bool]) -> str:
    query = (
        select(repos.c.name, _BELOW.c.id)
        .select_from(provenance)
        .join(_ABOVE, _ABOVE.c.num == provenance.c.upstream)
        .join(_BELOW, _BELOW.c.num == provenance.c.downstream)
        .join(repos, repos.c.num == _BELOW.c.repo)
        .where(of_above, of_below)
        .order_by(_BELOW.c.num)
    )
    rows = connection.execute(query.limit(_NAMED + 1)).all()
    names = ", ".join(f"{row.name}@{row.id}" for row in rows[:_NAMED])
    return names + " …" if len(rows) > _NAMED else names


def _finished(connection: Connection, ref: CommitRef) -> int:
    row = find_commit(connection, repo_row(connection, ref.repo).num, ref.id)
    if row is None:
        raise NotFound(f"no commit {ref.id!r} in repo {ref.repo!r}", fix="name a commit by its whole id")
    if row.state != "finished":
        raise Conflict(
            f"commit {ref.repo}@{ref.id} is not finished, so nothing can be computed from it",
            fix="finish it first",
        )
    num: int = row.num
    return num


def _reached(
    connection: Connection, start: int, near: ColumnElement[int], far: ColumnElement[int]
) -> list[int]:
    """Go along links from their near to their far ends, one level after another."""
    seen = {start: None}
    level = [start]
    while level:
        found: set[int] = set()
        for batch in batches(level):
            found.update(connection.execute(select(far).where(near.in_(batch))).scalars())
        level = sorted(found - seen.keys())
        seen.update(dict.fromkeys(level))
    return list(seen)[1:]
