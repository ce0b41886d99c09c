"""The catalog: names, commits and where each chunk is. One interface, one module a database."""

from .base import Catalog, ChunkPlace, Overtaken
from .feedlock import lock_feed
from .opening import open_catalog

__all__ = ["Catalog", "ChunkPlace", "Overtaken", "lock_feed", "open_catalog"]
