"""Rows of the catalog as the records of the protocol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, case, func, select

from jupyter_dvmount.store.embedded.catalog.schema import branches, commits, repos, to_time
from jupyter_dvmount.store.model import DEFAULT_BRANCH, Branch, Commit, Repo, RepoType

from . import provenance
from .refs import AnyRow, find_commit
from .triggers import decode

_branches = select(func.count()).where(branches.c.repo == repos.c.num).scalar_subquery()
_size = (
    select(commits.c.size)
    .select_from(branches)
    .join(commits, (commits.c.repo == branches.c.repo) & (commits.c.id == branches.c.head))
    .where(branches.c.repo == repos.c.num)
    .order_by(case((branches.c.name == DEFAULT_BRANCH, 0), else_=1), branches.c.moved.desc())
    .limit(1)
    .scalar_subquery()
)
_repos = select(repos, _branches.label("branches"), _size.label("size"))


def repo_page(connection: Connection, type_: RepoType | None, after: str, limit: int) -> list[Repo]:
    """Repos of one type, or of all, by name, after a name."""
    query = _repos.where(repos.c.name > after).order_by(repos.c.name).limit(limit)
    return [
        _repo(row)
        for row in connection.execute(query if type_ is None else query.where(repos.c.type == type_))
    ]


def repo_record(connection: Connection, row: AnyRow) -> Repo:
    """One repo with its sums."""
    return _repo(connection.execute(_repos.where(repos.c.num == row.num)).one())


def _repo(row: AnyRow) -> Repo:
    return Repo(
        name=row.name,
        type=row.type,
        description=row.description,
        created=to_time(row.created),
        size=row.size or 0,
        branches=row.branches,
    )


def branch_records(connection: Connection, repo: AnyRow) -> list[Branch]:
    """The branches of a repo by name."""
    query = select(branches).where(branches.c.repo == repo.num).order_by(branches.c.name)
    return [branch_record(connection, repo, row) for row in connection.execute(query).all()]


def branch_record(connection: Connection, repo: AnyRow, row: AnyRow) -> Branch:
    """One branch with the size of its head."""
    head = find_commit(connection, repo.num, row.head) if row.head else None
    return Branch(
        repo=repo.name,
        name=row.name,
        head=row.head,
        open=row.open,
        moved=to_time(row.moved),
        size=head.size if head is not None else 0,
        trigger=None if row.trigger is None else decode(row.trigger).trigger,
    )


def commit_record(connection: Connection, row: AnyRow) -> Commit:
    """One commit."""
    (record,) = commit_records(connection, [row])
    return record


def commit_records(connection: Connection, rows: Iterable[AnyRow]) -> list[Commit]:
    """Commits of any repos with their direct provenance."""
    rows = list(rows)
    repo = repo_rows(connection, {row.repo for row in rows})
    upstream = provenance.direct(connection, [row.num for row in rows])
    return [
        Commit(
            repo=repo[row.repo].name,
            branch=row.branch,
            id=row.id,
            state=row.state,
            message=row.message,
            author=row.author,
            parent=row.parent,
            provenance=tuple(upstream.get(row.num, ())),
            origin=row.origin,
            size=row.size,
            files=row.files,
            started=to_time(row.started),
            finished=None if row.finished is None else to_time(row.finished),
            error=row.error,
        )
        for row in rows
    ]


def numbered_commits(connection: Connection, numbers: Sequence[int]) -> list[Commit]:
    """The commits with some numbers, in the order of these."""
    rows: dict[int, AnyRow] = {}
    for batch in provenance.batches(numbers):
        found = connection.execute(select(commits).where(commits.c.num.in_(batch)))
        rows.update((row.num, row) for row in found)
    return commit_records(connection, [rows[num] for num in numbers])


def repo_rows(connection: Connection, numbers: Iterable[int]) -> dict[int, AnyRow]:
    """Repos by their numbers."""
    found: dict[int, AnyRow] = {}
    for batch in provenance.batches(sorted(numbers)):
        rows = connection.execute(select(repos).where(repos.c.num.in_(batch)))
        found.update((row.num, row) for row in rows)
    return found
