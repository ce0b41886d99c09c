"""Names, commits and chunks.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

from jupyter_dvmount.store.embedded.catalog.schema import Number, Text

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables of version 1, which stores had until 2026-11."""
    op.create_table(
        "repos",
        sa.Column("num", Number, primary_key=True),
        sa.Column("name", Text, nullable=False, unique=True),
        sa.Column("type", Text, nullable=False),
        sa.Column("description", Text, nullable=False),
        sa.Column("created", Number, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "branches",
        sa.Column("repo", Number, primary_key=True),
        sa.Column("name", Text, primary_key=True),
        sa.Column("head", Text),
        sa.Column("open", Text),
        sa.Column("moved", Number, nullable=False),
    )
    op.create_table(
        "commits",
        sa.Column("num", Number, primary_key=True),
        sa.Column("repo", Number, nullable=False),
        sa.Column("id", Text, nullable=False),
        sa.Column("branch", Text, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("message", Text, nullable=False),
        sa.Column("author", Text, nullable=False),
        sa.Column("parent", Text),
        sa.Column("origin", Text, nullable=False),
        sa.Column("root", sa.LargeBinary),
        sa.Column("size", Number, nullable=False),
        sa.Column("files", Number, nullable=False),
        sa.Column("started", Number, nullable=False),
        sa.Column("finished", Number),
        sa.Column("error", Text, nullable=False),
        sa.UniqueConstraint("repo", "id"),
        sqlite_autoincrement=True,
    )
    op.create_index("commits_by_age", "commits", ["repo", "num"])
    op.create_table(
        "packs",
        sa.Column("num", Number, primary_key=True),
        sa.Column("name", Text, nullable=False, unique=True),
        sa.Column("kind", Number, nullable=False),
        sa.Column("size", Number, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "chunks",
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("kind", Number, nullable=False),
        sa.Column("pack", Number, nullable=False),
        sa.Column("offset", Number, nullable=False),
        sa.Column("stored", Number, nullable=False),
        sa.Column("raw", Number, nullable=False),
        sa.Column("codec", Number, nullable=False),
        sa.Column("lost", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "changes",
        sa.Column("seq", Number, primary_key=True),
        sa.Column("kind", Text, nullable=False),
        sa.Column("action", Text, nullable=False),
        sa.Column("repo", Text, nullable=False),
        sa.Column("branch", Text, nullable=False),
        sa.Column("commit_id", Text, nullable=False),
        sqlite_autoincrement=True,
    )
