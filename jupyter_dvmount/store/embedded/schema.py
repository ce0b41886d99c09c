"""Tables of the catalog (``docs/format.md``, the catalog)."""

from __future__ import annotations

from datetime import datetime, timezone

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, UniqueConstraint

VERSION = 1
metadata = MetaData()

repos = Table(
    "repos",
    metadata,
    Column("num", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("type", String, nullable=False),
    Column("description", String, nullable=False),
    Column("created", Integer, nullable=False),
    sqlite_autoincrement=True,  # a deleted repo's number never comes back: writers in flight hold it
)

branches = Table(
    "branches",
    metadata,
    Column("repo", Integer, primary_key=True),
    Column("name", String, primary_key=True),
    Column("head", String),
    Column("open", String),
    Column("moved", Integer, nullable=False),
)

commits = Table(
    "commits",
    metadata,
    Column("num", Integer, primary_key=True),
    Column("repo", Integer, nullable=False),
    Column("id", String, nullable=False),
    Column("branch", String, nullable=False),
    Column("state", String, nullable=False),
    Column("message", String, nullable=False),
    Column("author", String, nullable=False),
    Column("parent", String),
    Column("origin", String, nullable=False),
    Column("root", LargeBinary),
    Column("size", Integer, nullable=False),
    Column("files", Integer, nullable=False),
    Column("started", Integer, nullable=False),
    Column("finished", Integer),
    Column("error", String, nullable=False),
    UniqueConstraint("repo", "id"),
    Index("commits_by_age", "repo", "num"),
    sqlite_autoincrement=True,
)

packs = Table(
    "packs",
    metadata,
    Column("num", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("kind", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    sqlite_autoincrement=True,
)

chunks = Table(
    "chunks",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("kind", Integer, nullable=False),
    Column("pack", Integer, nullable=False),
    Column("offset", Integer, nullable=False),
    Column("stored", Integer, nullable=False),
    Column("raw", Integer, nullable=False),
    Column("codec", Integer, nullable=False),
    Column("lost", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

changes = Table(
    "changes",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("action", String, nullable=False),
    Column("repo", String, nullable=False),
    Column("branch", String, nullable=False),
    Column("commit_id", String, nullable=False),
    sqlite_autoincrement=True,
)


def now() -> int:
    """The time, in microseconds since 1970 UTC."""
    return to_micros(datetime.now(timezone.utc))


def to_micros(time: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return int((time - _EPOCH).total_seconds() * 1_000_000)


def to_time(micros: int) -> datetime:
    """The time, aware of its zone."""
    return datetime.fromtimestamp(micros / 1_000_000, timezone.utc)


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
