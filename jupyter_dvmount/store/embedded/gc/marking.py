"""Find every chunk that some commit needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jupyter_dvmount.store.embedded.packs.chunking import SMALL
from jupyter_dvmount.store.embedded.packs.hashset import HashSet
from jupyter_dvmount.store.embedded.reading.chunks import ChunkSource
from jupyter_dvmount.store.embedded.reading.nodes import NodeSource
from jupyter_dvmount.store.embedded.trees.tree import DIRECTORY, Node


class Marker:
    """Walks trees and gathers the hashes of their nodes and contents; visits nothing twice.

    Parameters
    ----------
    nodes, chunks
        Where nodes and chunk lists come from.
    live
        Receives the hashes.
    """

    def __init__(self, nodes: NodeSource, chunks: ChunkSource, live: HashSet) -> None:
        self._nodes = nodes
        self._chunks = chunks
        self._live = live

    def mark(self, roots: Iterable[bytes]) -> Iterator[int]:
        """Mark trees; yields the number of entries seen, leaf by leaf.

        Raises
        ------
        Corrupt
            If a node or a chunk list cannot be read: then nothing can be said to be unused.
        """
        waiting = self._live.missing(list(dict.fromkeys(roots)))
        self._live.add(waiting)
        while waiting:
            node = self._nodes.load(waiting.pop())
            if node.level:
                children = self._live.missing(list({node.hash(index) for index in range(len(node.keys))}))
                self._live.add(children)
                waiting.extend(children)
            else:
                self._mark_contents(node)
                yield len(node.keys)

    def _mark_contents(self, leaf: Node) -> None:
        files = [(size, leaf.hash(index)) for index, size in enumerate(leaf.sizes) if size != DIRECTORY]
        large = self._live.missing(list({hash_ for size, hash_ in files if size > SMALL}))
        for hash_ in large:
            self._live.add(self._chunks.chunk_map(hash_).list.all())
        self._live.add(hash_ for _, hash_ in files)
