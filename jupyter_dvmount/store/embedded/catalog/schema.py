"""Tables of the catalog (``docs/format.md``, the catalog)."""

from __future__ import annotations

from datetime import datetime, timezone

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    event,
)

REVISIONS = ("0001", "0002")
"""Versions of these tables: the names of the scripts in ``migrations/versions``."""
HEAD = REVISIONS[-1]
metadata = MetaData()

Number = BigInteger().with_variant(Integer(), "sqlite")  # only an INTEGER is a row id there
Text = String().with_variant(String(collation="C"), "postgresql")  # by bytes, as everywhere in the store

alembic_version = Table(  # as alembic makes it
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

store = Table(
    "store",
    metadata,
    Column("id", Text, primary_key=True),
    Column("epoch", Number, nullable=False),
)

projects = Table(
    "projects",
    metadata,
    Column("name", Text, primary_key=True),
    Column("description", Text, nullable=False),
    Column("created", Number, nullable=False),
)

repos = Table(
    "repos",
    metadata,
    Column("num", Number, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("created", Number, nullable=False),
    sqlite_autoincrement=True,  # a deleted repo's number never comes back: writers in flight hold it
)

branches = Table(
    "branches",
    metadata,
    Column("repo", Number, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("head", Text),
    Column("open", Text),
    Column("moved", Number, nullable=False),
    Column("trigger", Text),
)

commits = Table(
    "commits",
    metadata,
    Column("num", Number, primary_key=True),
    Column("repo", Number, nullable=False),
    Column("id", Text, nullable=False),
    Column("branch", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("parent", Text),
    Column("origin", Text, nullable=False),
    Column("root", LargeBinary),
    Column("size", Number, nullable=False),
    Column("files", Number, nullable=False),
    Column("started", Number, nullable=False),
    Column("finished", Number),
    Column("error", Text, nullable=False),
    UniqueConstraint("repo", "id"),
    Index("commits_by_age", "repo", "num"),
    Index("commits_by_id", "id"),
    Index("commits_by_parent", "repo", "parent"),
    sqlite_autoincrement=True,
)

provenance = Table(
    "provenance",
    metadata,
    Column("downstream", Number, primary_key=True),
    Column("upstream", Number, primary_key=True),
    Index("provenance_by_upstream", "upstream"),
)

packs = Table(
    "packs",
    metadata,
    Column("num", Number, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Number, nullable=False),
    Column("size", Number, nullable=False),
    Column("writer", Text),
    Column("condemned", Number),
    sqlite_autoincrement=True,
)

chunks = Table(
    "chunks",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("kind", Number, nullable=False),
    Column("pack", Number, nullable=False),
    Column("offset", Number, nullable=False),
    Column("stored", Number, nullable=False),
    Column("raw", Number, nullable=False),
    Column("codec", Number, nullable=False),
    Column("lost", Boolean, nullable=False),
    Column("condemned", Number),
    Index("chunks_by_pack", "pack"),
    sqlite_with_rowid=False,
)

# Almost always empty. An index that names PostgreSQL would load its dialect at every start.
Index("chunks_condemned", chunks.c.condemned, sqlite_where=chunks.c.condemned.is_not(None)).ddl_if("sqlite")
event.listen(
    chunks,
    "after_create",
    DDL(  # type: ignore[no-untyped-call]
        "CREATE INDEX chunks_condemned ON chunks (condemned) WHERE condemned IS NOT NULL"
    ).execute_if(dialect="postgresql"),
)

writers = Table(
    "writers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("started", Number, nullable=False),
    Column("seen", Number, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

transactions = Table(  # that a connection which was lost at the wrong moment is asked about
    "transactions",
    metadata,
    Column("token", Text, primary_key=True),
    Column("made", Number, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("seq", Number, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("repo", Text, nullable=False),
    Column("branch", Text, nullable=False),
    Column("commit_id", Text, nullable=False),
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
