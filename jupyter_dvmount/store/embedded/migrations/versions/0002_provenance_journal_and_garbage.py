"""Projects, triggers, provenance, the journal, and what collections of garbage need.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

from jupyter_dvmount.store.embedded.catalog.schema import Number, Text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add to the tables of version 1."""
    store = op.create_table(
        "store", sa.Column("id", Text, primary_key=True), sa.Column("epoch", Number, nullable=False)
    )
    op.bulk_insert(store, [{"id": op.get_context().opts["store_id"], "epoch": 0}])
    projects = op.create_table(
        "projects",
        sa.Column("name", Text, primary_key=True),
        sa.Column("description", Text, nullable=False),
        sa.Column("created", Number, nullable=False),
    )
    op.bulk_insert(projects, _projects_of_repos())
    op.add_column("branches", sa.Column("trigger", Text))
    op.create_index("commits_by_id", "commits", ["id"])
    op.create_index("commits_by_parent", "commits", ["repo", "parent"])
    op.create_table(
        "provenance",
        sa.Column("downstream", Number, primary_key=True),
        sa.Column("upstream", Number, primary_key=True),
    )
    op.create_index("provenance_by_upstream", "provenance", ["upstream"])
    op.add_column("packs", sa.Column("writer", Text))
    op.add_column("packs", sa.Column("condemned", Number))
    op.add_column("chunks", sa.Column("condemned", Number))
    op.create_index("chunks_by_pack", "chunks", ["pack"])
    is_condemned = sa.text("condemned IS NOT NULL")
    op.create_index(
        "chunks_condemned",
        "chunks",
        ["condemned"],
        sqlite_where=is_condemned,
        postgresql_where=is_condemned,
    )
    op.create_table(
        "writers",
        sa.Column("id", Text, primary_key=True),
        sa.Column("started", Number, nullable=False),
        sa.Column("seen", Number, nullable=False),
    )
    op.create_table(
        "journal",
        sa.Column("seq", Number, primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "transactions",
        sa.Column("token", Text, primary_key=True),
        sa.Column("made", Number, nullable=False),
    )


def _projects_of_repos() -> list[dict[str, object]]:
    """A project is as old as its first repo, whose name begins with its own."""
    created: dict[str, int] = {}
    repos = op.get_bind().execute(sa.text("SELECT name, created FROM repos ORDER BY created"))
    for name, when in repos:
        project, slash, _ = name.rpartition("/")
        created.setdefault(project if slash else "default", when)
    return [{"name": name, "description": "", "created": when} for name, when in created.items()]
