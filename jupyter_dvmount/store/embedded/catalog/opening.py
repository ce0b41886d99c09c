"""The catalog at a place."""

from __future__ import annotations

from jupyter_dvmount.store.embedded.place import Schema, SqliteFile
from jupyter_dvmount.store.errors import Unavailable

from .base import Catalog
from .sqlite import SqliteCatalog


def open_catalog(place: SqliteFile | Schema) -> Catalog:
    """The catalog at a place, which need not exist yet; nothing is touched before it is used.

    Raises
    ------
    Unavailable
        If what its database needs is not installed.
    """
    if isinstance(place, SqliteFile):
        return SqliteCatalog(place.path)
    try:
        from .postgresql import PostgresqlCatalog
    except ImportError as error:
        raise Unavailable(
            f"a catalog in PostgreSQL needs psycopg, which cannot be used here: {str(error).splitlines()[0]}",
            fix="pip install 'jupyter-dvmount[postgresql]'",
        ) from error
    return PostgresqlCatalog(place.server)
