"""What an open store is made of."""

from __future__ import annotations

from typing import NamedTuple

from .blobs.base import Blobs
from .catalog import Catalog
from .journal.log import Journal
from .reading.chunks import ChunkSource
from .reading.nodes import NodeSource


class Parts(NamedTuple):
    """The parts of an open store; each is thread-safe."""

    blobs: Blobs
    catalog: Catalog
    journal: Journal
    chunks: ChunkSource
    nodes: NodeSource
