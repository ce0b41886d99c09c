"""Find rows by the names that users give: repos, branches, commits and references to them."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, text

from jupyter_dvmount.store.embedded.catalog.schema import branches, commits, repos
from jupyter_dvmount.store.errors import Invalid, NotFound
from jupyter_dvmount.store.uri import check_branch, check_repo, is_commit_id, split_ref

AnyRow = Row[Any]
_PREFIX = re.compile(r"[0-9a-f]{4,32}\Z")
CANDIDATES = 5
"""Ids named in the message about an ambiguous prefix."""
_ANCESTOR = text(
    "WITH RECURSIVE chain(id, depth) AS (SELECT id, 0 FROM commits WHERE repo = :repo AND id = :id"
    " UNION ALL SELECT commits.parent, depth + 1 FROM chain"
    " JOIN commits ON commits.repo = :repo AND commits.id = chain.id"
    " WHERE commits.parent IS NOT NULL AND depth < :steps)"
    " SELECT id, depth FROM chain ORDER BY depth DESC LIMIT 1"
)
_WHOLE_CHAIN = 1 << 40
# Statements of the hot paths are built once: that takes several times as long as SQLite does to run one.
_REPO = select(repos).where(repos.c.name == bindparam("name"))
_BRANCH = select(branches).where(branches.c.repo == bindparam("repo"), branches.c.name == bindparam("name"))
_COMMIT = select(commits).where(commits.c.repo == bindparam("repo"), commits.c.id == bindparam("id"))


def repo_row(connection: Connection, name: str) -> AnyRow:
    """The row of a repo, or `NotFound`."""
    row = connection.execute(_REPO, {"name": check_repo(name)}).one_or_none()
    if row is None:
        raise NotFound(f"no repo {name!r}", fix="list the repos, or create it")
    return row


def find_branch(connection: Connection, repo: int, name: str) -> AnyRow | None:
    """The row of a branch."""
    return connection.execute(_BRANCH, {"repo": repo, "name": name}).one_or_none()


def branch_row(connection: Connection, repo: AnyRow, name: str) -> AnyRow:
    """The row of a branch, or `NotFound`."""
    row = find_branch(connection, repo.num, check_branch(name))
    if row is None:
        raise NotFound(f"no branch {name!r} in repo {repo.name!r}", fix="list its branches")
    return row


def find_commit(connection: Connection, repo: int, id_: str) -> AnyRow | None:
    """The row of a commit by its full id."""
    return connection.execute(_COMMIT, {"repo": repo, "id": id_}).one_or_none()


def commit_row(connection: Connection, repo: AnyRow, ref: str) -> AnyRow:
    """The row of the commit that ``ref`` means: for a branch its head, or its open commit without one.

    Branches are matched before anything else, the whole reference first: ``v1.0`` may be a branch.

    Raises
    ------
    NotFound
        If there is none.
    Invalid
        If the reference is malformed, or a prefix of several ids.
    """
    base, steps = split_ref(ref)
    whole = find_branch(connection, repo.num, ref)
    if whole is not None:
        return _tip(connection, repo, whole)
    row = _base_row(connection, repo, base)
    for step in steps:
        row = _step(connection, repo, row, step, ref)
    return row


def _base_row(connection: Connection, repo: AnyRow, base: str) -> AnyRow:
    branch = find_branch(connection, repo.num, base)
    if branch is not None:
        return _tip(connection, repo, branch)
    if is_commit_id(base):
        row = find_commit(connection, repo.num, base)
        if row is not None:
            return row
    elif is_prefix(base):
        rows = _with_prefix(connection, repo.num, base)
        if len(rows) == 1:
            return rows[0]
        if rows:
            raise ambiguous(base, [row.id for row in rows])
    raise NotFound(f"no branch or commit {base!r} in repo {repo.name!r}", fix="list its branches or commits")


def is_prefix(text: str) -> bool:
    """Whether ``text`` may be the beginning of a commit's id."""
    return bool(_PREFIX.match(text))


def ambiguous(prefix: str, ids: list[str]) -> Invalid:
    """The error for a prefix of several ids."""
    names = ", ".join(id_[:12] for id_ in ids[:CANDIDATES]) + (" …" if len(ids) > CANDIDATES else "")
    return Invalid(f"{prefix!r} is ambiguous: {names}", fix="give more digits of the id")


def _with_prefix(connection: Connection, repo: int, prefix: str) -> list[AnyRow]:
    query = select(commits).where(commits.c.repo == repo, commits.c.id >= prefix, commits.c.id < prefix + "g")
    return list(connection.execute(query.limit(CANDIDATES + 1)))


def _tip(connection: Connection, repo: AnyRow, branch: AnyRow) -> AnyRow:
    row = find_commit(connection, repo.num, branch.head or branch.open or "")
    if row is None:
        raise NotFound(
            f"branch {branch.name!r} of repo {repo.name!r} has no commit yet", fix="put a file to make one"
        )
    return row


def _step(connection: Connection, repo: AnyRow, row: AnyRow, step: str, ref: str) -> AnyRow:
    count = int(step[1:] or 1)
    if step[0] == ".":
        depth = _ancestor(connection, repo, row, _WHOLE_CHAIN)[1]
        if not 1 <= count <= depth + 1:
            raise NotFound(
                f"no commit {ref!r}: there are {depth + 1}, the first is .1", fix="list its commits"
            )
        count = depth + 1 - count
    id_, depth = _ancestor(connection, repo, row, count)
    found = find_commit(connection, repo.num, id_) if depth == count else None
    if found is None:
        raise NotFound(f"no commit {ref!r}: it has {depth} ancestors on this way", fix="list its commits")
    return found


def _ancestor(connection: Connection, repo: AnyRow, row: AnyRow, steps: int) -> tuple[str, int]:
    """(id, depth) of the ancestor ``steps`` before a commit, or of the first commit if there are fewer."""
    values = {"repo": repo.num, "id": row.id, "steps": min(steps, _WHOLE_CHAIN)}
    found = connection.execute(_ANCESTOR, values).one()
    return found.id, found.depth
