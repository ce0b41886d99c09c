"""The catalog at a place."""

from __future__ import annotations

from jupyter_dvmount.store.embedded.place import SqliteFile

from .base import Catalog
from .sqlite import SqliteCatalog


def open_catalog(place: SqliteFile) -> Catalog:
    """The catalog at a place, which need not exist yet; nothing is touched before it is used."""
    return SqliteCatalog(place.path)
