"""The change feed: what other processes may want to react to, written with what it tells of."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from jupyter_dvmount.store.embedded.catalog import lock_feed
from jupyter_dvmount.store.embedded.catalog.schema import changes
from jupyter_dvmount.store.model import Change, ChangeAction, ChangeKind

KEPT = 10_000
"""Entries that stay in the feed."""
_TOLD = "dvmount.told"
_TELL = insert(changes).returning(changes.c.seq)
_FORGET = delete(changes).where(changes.c.seq <= bindparam("last"))


def tell(
    connection: Connection,
    kind: ChangeKind,
    action: ChangeAction,
    repo: str,
    *,
    branch: str = "",
    commit: str = "",
) -> None:
    """Add to the feed within the transaction that makes the change."""
    lock_feed(connection)
    values = {"kind": kind, "action": action, "repo": repo, "branch": branch, "commit_id": commit}
    seq = connection.execute(_TELL, values).scalar_one()
    connection.execute(_FORGET, {"last": seq - KEPT})
    told: list[Change] = connection.info.setdefault(_TOLD, [])
    told.append(Change(seq=seq, kind=kind, action=action, repo=repo, branch=branch, commit=commit))


def listen(connection: Connection) -> list[Change]:
    """A list that what the feed is told in this transaction from now on is added to."""
    told: list[Change] = []
    connection.info[_TOLD] = told
    return told


def read(connection: Connection, after: int | None, limit: int | None) -> list[Change]:
    """Changes after a sequence number, oldest first; with None the newest one only."""
    if after is None:
        query = select(changes).where(changes.c.seq == select(func.max(changes.c.seq)).scalar_subquery())
    else:
        query = select(changes).where(changes.c.seq > after).order_by(changes.c.seq).limit(limit)
    return [
        Change(
            seq=row.seq,
            kind=row.kind,
            action=row.action,
            repo=row.repo,
            branch=row.branch,
            commit=row.commit_id,
        )
        for row in connection.execute(query)
    ]
