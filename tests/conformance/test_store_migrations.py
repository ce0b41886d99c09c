"""Catalogs of older versions become catalogs of this one, whole or not at all."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from jupyter_dvmount.store import open_store
from jupyter_dvmount.store.embedded.catalog import Catalog, open_catalog
from jupyter_dvmount.store.embedded.catalog.schema import REVISIONS, metadata
from jupyter_dvmount.store.embedded.migrations.running import scripts, upgrade
from jupyter_dvmount.store.embedded.place import parse_place
from tests.conformance.places import StorePlace

ID = "ab" * 16
_COLUMNS = """
    SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = current_schema()
"""
_INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()"


@pytest.fixture
def catalog(place: StorePlace):
    with open_catalog(parse_place(place.url).catalog) as opened:
        yield opened


def test_the_scripts_are_the_versions_that_are_known() -> None:
    assert tuple(reversed([script.revision for script in scripts().walk_revisions()])) == REVISIONS


def test_tables_made_by_migrations_are_the_tables_of_a_new_catalog(
    place: StorePlace, catalog: Catalog
) -> None:
    open_store(place.url).close()
    new = shape(catalog)
    place.drop_catalog()
    with open_catalog(parse_place(place.url).catalog) as old:
        make_empty(old)
        assert shape(old) == new
        with old._making() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            found = compare_metadata(context, metadata)
        assert [change for change in found if getattr(change[1], "name", "") != "alembic_version"] == []


def make_empty(catalog: Catalog) -> None:
    """Make tables by all migrations, from nothing."""
    with catalog._making() as connection:
        upgrade(connection, None, store_id=ID)


def shape(catalog: Catalog) -> list[tuple[str, ...]]:
    """What the database knows of its columns and indexes, sorted."""
    with catalog._making() as connection:
        if connection.dialect.name == "sqlite":
            rows = list(connection.execute(text("SELECT type, name, tbl_name FROM sqlite_master")))
            tables = [name for kind, name, _ in rows if kind == "table"]
            rows += [
                (t, *row[1:]) for t in tables for row in connection.execute(text(f"PRAGMA table_info({t})"))
            ]
        else:
            rows = list(connection.execute(text(_COLUMNS))) + list(connection.execute(text(_INDEXES)))
    return sorted(tuple(map(str, row)) for row in rows)
