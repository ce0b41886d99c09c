"""Images: what a thing in the catalog looks like after a transaction, without the rest of the catalog."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, LargeBinary, Row, Table, bindparam, delete, insert, select

from jupyter_dvmount.store.embedded.catalog.schema import branches, commits, projects, provenance, repos
from jupyter_dvmount.store.embedded.commits.refs import find_branch, find_commit
from jupyter_dvmount.store.model import Change

Kind = Literal["project", "repo", "branch", "commit"]
_TABLES: dict[Kind, Table] = {"project": projects, "repo": repos, "branch": branches, "commit": commits}
_REPO = select(repos.c.num).where(repos.c.name == bindparam("name"))
_UPSTREAM = (
    select(provenance.c.upstream)
    .where(provenance.c.downstream == bindparam("num"))
    .order_by(provenance.c.upstream)
)


class Image(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing after a transaction.

    Parameters
    ----------
    seq
        The number of the transaction: that of the last change that it tells the feed.
    kind, name
        What it is; the name of the project or repo.
    sub
        Name of the branch or id of the commit.
    row
        Its columns, bytes in base64; None if it is gone, with all that belongs to it.
    upstream
        Of a commit: the numbers of the commits that it was computed from.
    """

    seq: int
    kind: Kind
    name: str
    sub: str = ""
    row: dict[str, Any] | None = None
    upstream: tuple[int, ...] = ()


def of(connection: Connection, told: list[Change]) -> Iterator[Image]:
    """Images of what changes tell of, each once."""
    seq = told[-1].seq
    for kind, name, sub in dict.fromkeys(map(_named, told)):
        yield _image(connection, seq, kind, name, sub)


def of_everything(connection: Connection, seq: int) -> Iterator[Image]:
    """Images of everything there is."""
    for kind in ("project", "repo"):
        for row in connection.execute(select(_TABLES[kind])):
            yield Image(seq, kind, row.name, row=_columns(row))
    names = {row.num: row.name for row in connection.execute(select(repos.c.num, repos.c.name))}
    for row in connection.execute(select(branches)):
        yield Image(seq, "branch", names[row.repo], row.name, _columns(row))
    for row in connection.execute(select(commits).order_by(commits.c.num)):
        yield Image(seq, "commit", names[row.repo], row.id, _columns(row), _upstream(connection, row.num))


def apply(connection: Connection, image: Image) -> None:
    """Make a thing what its image shows."""
    _remove(connection, image)
    if image.row is None:
        return
    connection.execute(insert(_TABLES[image.kind]).values(**_values(_TABLES[image.kind], image.row)))
    for upstream in image.upstream:
        connection.execute(insert(provenance).values(downstream=image.row["num"], upstream=upstream))


def _named(change: Change) -> tuple[Kind, str, str]:
    subs = {"branch": change.branch, "commit": change.commit}
    return change.kind, change.repo, subs.get(change.kind, "")


def _image(connection: Connection, seq: int, kind: Kind, name: str, sub: str) -> Image:
    if kind in {"project", "repo"}:
        table = _TABLES[kind]
        row = connection.execute(select(table).where(table.c.name == name)).one_or_none()
        return Image(seq, kind, name, row=_columns(row))
    repo = connection.execute(_REPO, {"name": name}).scalar_one_or_none()
    if repo is None:
        return Image(seq, kind, name, sub)
    if kind == "branch":
        return Image(seq, kind, name, sub, _columns(find_branch(connection, repo, sub)))
    found = find_commit(connection, repo, sub)
    upstream = _upstream(connection, found.num) if found is not None else ()
    return Image(seq, kind, name, sub, _columns(found), upstream)


def _upstream(connection: Connection, num: int) -> tuple[int, ...]:
    return tuple(connection.execute(_UPSTREAM, {"num": num}).scalars())


def _columns(row: Row[Any] | None) -> dict[str, Any] | None:
    return None if row is None else dict(row._mapping)


def _values(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    held = {name: value for name, value in row.items() if name in table.c}
    for column in table.c:
        if isinstance(column.type, LargeBinary) and held.get(column.name) is not None:
            held[column.name] = base64.b64decode(held[column.name])
    return held


def _remove(connection: Connection, image: Image) -> None:
    if image.kind == "project":
        connection.execute(delete(projects).where(projects.c.name == image.name))
        return
    repo = connection.execute(_REPO, {"name": image.name}).scalar_one_or_none()
    if repo is None:
        return
    if image.kind == "branch":
        here = (branches.c.repo == repo) & (branches.c.name == image.sub)
        connection.execute(delete(branches).where(here))
    elif image.kind == "commit":
        _remove_commits(
            connection, (commits.c.repo == repo) & (commits.c.id == image.sub), gone=image.row is None
        )
    else:
        if image.row is None:
            connection.execute(delete(branches).where(branches.c.repo == repo))
            _remove_commits(connection, commits.c.repo == repo, gone=True)
        connection.execute(delete(repos).where(repos.c.num == repo))


def _remove_commits(connection: Connection, which: Any, *, gone: bool) -> None:
    numbers = select(commits.c.num).where(which)
    lost = provenance.c.downstream.in_(numbers)
    connection.execute(delete(provenance).where(lost | provenance.c.upstream.in_(numbers) if gone else lost))
    connection.execute(delete(commits).where(which))
