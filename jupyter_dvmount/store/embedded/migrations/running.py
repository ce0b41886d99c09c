"""Run migrations in a transaction of the catalog."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import msgspec
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, delete, func, insert, select

from jupyter_dvmount.store.embedded.catalog.schema import HEAD, changes, journal
from jupyter_dvmount.store.embedded.journal import images

_log = logging.getLogger("jupyter_dvmount.store")


def upgrade(connection: Connection, revision: str | None, *, store_id: str) -> None:
    """Bring tables to the newest version, within the caller's transaction.

    Parameters
    ----------
    connection
        The transaction.
    revision
        The version that the tables are of; None if there are none.
    store_id
        The store's id; the scripts find it in the options of their context.
    """
    directory = scripts()

    def steps(heads: Any, _context: MigrationContext) -> Any:
        return directory._upgrade_revs(HEAD, heads)

    options = {"fn": steps, "script": directory, "store_id": store_id}
    context = MigrationContext.configure(connection, opts=options)
    if revision is not None:
        context.stamp(directory, revision)  # the first version did not note itself in a table
    with Operations.context(context):
        context.run_migrations()
    _tell_journal(connection)
    _log.info("upgraded the catalog from version %s to %s", revision, HEAD)


def scripts() -> ScriptDirectory:
    """The scripts."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return ScriptDirectory.from_config(config)


def _tell_journal(connection: Connection) -> None:
    """Put everything into the journal as it is now: older entries have older columns, or are missing."""
    last = connection.execute(select(func.max(changes.c.seq))).scalar() or 0
    data = b"".join(msgspec.json.encode(image) + b"\n" for image in images.of_everything(connection, last))
    connection.execute(delete(journal))
    connection.execute(insert(journal).values(seq=last, data=data))
