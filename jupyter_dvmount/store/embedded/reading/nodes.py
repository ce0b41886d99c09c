"""The nodes of trees: in memory, on the local disk where the packs are elsewhere, and in the packs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice

from jupyter_dvmount.store.embedded.catalog import ChunkPlace
from jupyter_dvmount.store.embedded.machine.cache import Cache
from jupyter_dvmount.store.embedded.machine.diskcache import DiskCache
from jupyter_dvmount.store.embedded.packs.codec import Kind, digest
from jupyter_dvmount.store.embedded.trees.tree import Item, Node, checked_node
from jupyter_dvmount.store.protocol import Progress

from .chunks import ChunkSource

NODE_CACHE = 1024
"""Default number of tree nodes kept in memory, of about 256 entries and 40 KB each."""
_FETCHES = 8  # nodes fetched at one time
_BATCH = 512  # nodes that are looked up at once


class NodeSource:
    """Nodes of the store's trees, through bounded caches. Thread-safe.

    Parameters
    ----------
    chunks
        Where they come from.
    limit
        Number of nodes kept in memory.
    files
        Where they are kept on the local disk, for a store that is elsewhere. Each is a file named by its
        hash, so that neither the packs nor the catalog are asked for it again.
    """

    def __init__(self, chunks: ChunkSource, limit: int = NODE_CACHE, files: DiskCache | None = None) -> None:
        self._chunks = chunks
        self._files = files
        self._cache: Cache[Node] = Cache(limit)

    def load(self, hash_: bytes) -> Node:
        """The node with a hash."""
        return self._cache.get(hash_, self._read)

    def prefetch(self, root: bytes | None, progress: Progress | None = None) -> None:
        """Bring a tree's nodes to the local disk, level by level; nothing is done for a local store.

        Parameters
        ----------
        root
            The tree.
        progress
            Called with (files, bytes of files) whose entries are there so far.
        """
        if self._files is None or root is None:
            return
        inner = [self.load(root)]
        while inner and inner[0].level:
            children = [item for node in inner for _, item in node.items()]
            files = size = 0
            for item in self._bring(self._files, children):
                files, size = files + item.files, size + item.size
                if progress is not None and inner[0].level == 1:
                    progress(files, size)
            inner = [self.load(item.hash) for item in children] if inner[0].level > 1 else []

    def _bring(self, files: DiskCache, nodes: list[Item]) -> Iterator[Item]:
        """Fetch those nodes that are not on the disk; yields each node that is."""
        missing = {}
        for node in nodes:
            if files.holds(node.hash.hex()):
                yield node
            else:
                missing[node.hash] = node
        workers = ThreadPoolExecutor(_FETCHES, thread_name_prefix="dvmount-nodes")
        try:
            waiting = iter(missing)
            while batch := list(islice(waiting, _BATCH)):
                for hash_ in workers.map(partial(self._fetch, files), self._chunks.locate(batch)):
                    yield missing[hash_]
        finally:
            workers.shutdown(cancel_futures=True)

    def _fetch(self, files: DiskCache, located: tuple[bytes, ChunkPlace]) -> bytes:
        hash_, place = located
        files.write(hash_.hex(), self._chunks.load_from(Kind.META, hash_, place))
        return hash_

    def _read(self, hash_: bytes) -> Node:
        data = self._files.read(hash_.hex()) if self._files is not None else None
        if data is None or digest(Kind.META, data) != hash_:
            data = self._chunks.load(Kind.META, hash_)
            if self._files is not None:
                self._files.write(hash_.hex(), data)
        return checked_node(data)
