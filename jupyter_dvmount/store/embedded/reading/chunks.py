"""Find and read chunks: the index in the catalog, verified bytes in bounded caches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from jupyter_dvmount.store.embedded.blobs.base import PACKS, Blobs, MissingBlob
from jupyter_dvmount.store.embedded.catalog import Catalog, ChunkPlace
from jupyter_dvmount.store.embedded.machine.cache import Cache
from jupyter_dvmount.store.embedded.packs.chunking import ChunkList, ChunkMap
from jupyter_dvmount.store.embedded.packs.codec import Kind, decode
from jupyter_dvmount.store.errors import Corrupt

CHUNK_CACHE = 48 << 20
"""Default bytes of verified chunks that are kept in memory."""
MAPS = 256
"""Chunk lists of large files that are kept in memory."""

_GAP = 64 << 10  # bytes between two chunks that are rather read than skipped

_list_decoder = msgspec.msgpack.Decoder(ChunkList)


class ChunkSource:
    """Reads chunks by hash. Thread-safe.

    Parameters
    ----------
    catalog, blobs
        The index, and where the packs are.
    cache_bytes
        Bound on the verified data chunks kept in memory.
    """

    def __init__(self, catalog: Catalog, blobs: Blobs, cache_bytes: int = CHUNK_CACHE) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._data: Cache[bytes] = Cache(cache_bytes, len)
        self._maps: Cache[ChunkMap] = Cache(MAPS)

    def data(self, hash_: bytes) -> bytes:
        """A data chunk, verified; cached."""
        return self._data.get(hash_, lambda key: self.load(Kind.DATA, key))

    def prepare(self, hashes: Iterable[bytes]) -> None:
        """Put data chunks into the cache; those that lie next to each other are read together.

        What is lost or damaged is left out. Memory is that of the chunks beside the cache's own.
        """
        places = self._catalog.find_chunks([hash_ for hash_ in hashes if not self._data.holds(hash_)])
        for run in _runs(sorted(places.items(), key=lambda located: located[1])):
            pack, begin, *_ = run[0][1]
            end = run[-1][1].offset + run[-1][1].stored
            stored = memoryview(self._blobs.read(PACKS + pack, begin, end - begin))
            for hash_, place in run:
                if not self._data.holds(hash_):  # nobody was in a greater hurry
                    part = stored[place.offset - begin :][: place.stored]
                    data = decode(Kind.DATA, hash_, part, place.raw, place.codec)
                    if data is not None:
                        self._data.add(hash_, data)

    def chunk_map(self, hash_: bytes) -> ChunkMap:
        """The chunk list of a large file; cached."""
        return self._maps.get(hash_, self._load_map)

    def load(self, kind: Kind, hash_: bytes) -> bytes:
        """A chunk, verified, past the cache.

        Raises
        ------
        Corrupt
            If it is not in the store, or its bytes are not the ones filed under its hash.
        """
        return self.load_from(kind, hash_, self._find(hash_))

    def locate(self, hashes: Sequence[bytes]) -> list[tuple[bytes, ChunkPlace]]:
        """Chunks with their places, in the order in which they lie in the packs.

        Raises
        ------
        Corrupt
            If one is not in the store.
        """
        places = self._catalog.find_chunks(hashes)
        if len(places) < len(set(hashes)):
            lost = next(hash_ for hash_ in hashes if hash_ not in places)
            raise Corrupt(f"chunk {lost.hex()} is not in the store", fix=_FIX)
        return sorted(places.items(), key=lambda located: located[1])

    def load_from(self, kind: Kind, hash_: bytes, place: ChunkPlace) -> bytes:
        """A chunk, verified, from where it was a moment ago, or where it has been moved to since."""
        try:
            return self._read(kind, hash_, place)
        except MissingBlob:
            moved = self._find(hash_)
            if moved == place:
                raise
        return self.load_from(kind, hash_, moved)  # a collection has rewritten the pack

    def known(self, hashes: Iterable[bytes]) -> set[bytes]:
        """Those of the hashes that are in the store for good: neither lost nor condemned."""
        return self._catalog.known(hashes)

    def _find(self, hash_: bytes) -> ChunkPlace:
        place = self._catalog.find_chunk(hash_)
        if place is None:
            raise Corrupt(f"chunk {hash_.hex()} is not in the store", fix=_FIX)
        return place

    def _read(self, kind: Kind, hash_: bytes, place: ChunkPlace) -> bytes:
        where = (PACKS + place.pack, place.offset, place.stored)
        data = decode(kind, hash_, self._blobs.read(*where), place.raw, place.codec)
        if data is None and self._blobs.forget(*where):  # the copy may be damaged, and the pack be well
            data = decode(kind, hash_, self._blobs.read(*where), place.raw, place.codec)
        if data is None:
            raise Corrupt(f"chunk {hash_.hex()} in pack {place.pack} is damaged", fix=_FIX)
        return data

    def _load_map(self, hash_: bytes) -> ChunkMap:
        return ChunkMap(_list_decoder.decode(self.load(Kind.META, hash_)))


def _runs(located: list[tuple[bytes, ChunkPlace]]) -> Iterator[list[tuple[bytes, ChunkPlace]]]:
    """Chunks in the order of the packs, in groups that are worth one read."""
    run: list[tuple[bytes, ChunkPlace]] = []
    end = 0
    for hash_, place in located:
        if run and (place.pack != run[0][1].pack or place.offset - end > _GAP):
            yield run
            run = []
        run.append((hash_, place))
        end = place.offset + place.stored
    if run:
        yield run


_FIX = "run 'dvmount fsck --full', then put the files that it names again from their source"
