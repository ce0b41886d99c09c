"""What an open store is made of."""

from __future__ import annotations

from typing import NamedTuple

from .catalog import Catalog
from .chunks import ChunkSource
from .layout import Layout
from .reader import NodeSource


class Parts(NamedTuple):
    """The parts of an open store; each is thread-safe."""

    layout: Layout
    catalog: Catalog
    chunks: ChunkSource
    nodes: NodeSource
