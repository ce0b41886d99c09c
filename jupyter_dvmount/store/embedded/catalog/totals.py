"""What a store holds and what that costs, from the catalog alone."""

from __future__ import annotations

from sqlalchemy import Connection, and_, case, func, select

from jupyter_dvmount.store.embedded.packs.pack import HEADER
from jupyter_dvmount.store.model import RepoUsage, Usage

from .schema import chunks, commits, packs, repos

_is_used = chunks.c.condemned.is_(None)
_used = func.coalesce(func.sum(case((_is_used, chunks.c.stored), else_=0)), 0)
_end = func.max(chunks.c.offset + chunks.c.stored)  # of what is left of its chunks; the footer comes later


def usage(connection: Connection) -> Usage:
    """The sums of the whole store and of each repo."""
    of_repos = _of_repos(connection)
    of_chunks = select(func.sum(chunks.c.raw), func.sum(chunks.c.stored)).where(_is_used)
    unique, stored = connection.execute(of_chunks).one()
    count, size = connection.execute(select(func.count(), func.sum(packs.c.size)).select_from(packs)).one()
    return Usage(
        logical=sum(repo.logical for repo in of_repos),
        unique=int(unique or 0),
        stored=int(stored or 0),
        packs=count,
        size=int(size or 0),
        garbage=_garbage(connection),
        repos=of_repos,
    )


def _of_repos(connection: Connection) -> tuple[RepoUsage, ...]:
    finished = and_(commits.c.repo == repos.c.num, commits.c.state == "finished")
    query = (
        select(
            repos.c.name, func.count(commits.c.num).label("commits"), func.sum(commits.c.size).label("size")
        )
        .outerjoin(commits, finished)
        .group_by(repos.c.name)
        .order_by(repos.c.name)
    )
    return tuple(
        RepoUsage(repo=row.name, commits=row.commits, logical=int(row.size or 0))
        for row in connection.execute(query)
    )


def _garbage(connection: Connection) -> int:
    """Bytes of packs that are tombstones, and those before the end of a pack's chunks that are no chunk's."""
    unused = case(
        (packs.c.condemned.is_not(None) | _end.is_(None), packs.c.size), else_=_end - len(HEADER) - _used
    ).label("unused")
    each = (
        select(unused)
        .outerjoin(chunks, chunks.c.pack == packs.c.num)
        .group_by(packs.c.num, packs.c.size, packs.c.condemned)
        .subquery()
    )
    return int(connection.execute(select(func.sum(each.c.unused))).scalar() or 0)
