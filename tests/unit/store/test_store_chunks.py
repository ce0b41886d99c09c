"""Reading a chunk whose pack moves away, or whose local copy is damaged, while it is read."""

from __future__ import annotations

import random

import pytest

from jupyter_dvmount.store import Corrupt, VersionStore
from jupyter_dvmount.store.embedded.blobs import LocalBlobs, MissingBlob
from jupyter_dvmount.store.embedded.packs.codec import Kind
from jupyter_dvmount.store.embedded.reading.chunks import ChunkSource

DATA = b"the contents of a file"


@pytest.fixture
def hash_(store: VersionStore) -> bytes:
    """Of a chunk in the store."""
    with store.modify("images", "master") as writer:
        writer.put("/a", DATA)
    return bytes.fromhex(store.read("images", "master").lookup("/a").hash)


@pytest.fixture
def blobs(tmp_path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "store")


def test_a_chunk_is_found_again_when_a_collection_has_moved_it_meanwhile(store, hash_, blobs, monkeypatch):
    source = ChunkSource(store._catalog, blobs)
    read = blobs.read

    def read_after_a_move(name: str, offset: int, length: int) -> bytes:
        monkeypatch.setattr(blobs, "read", read)
        new = "0" * 32
        blobs.write(f"packs/{new}", blobs.load(name))
        blobs.delete(name)
        with store._catalog.write() as connection:
            connection.exec_driver_sql(
                "UPDATE packs SET name = ? WHERE name = ?", (new, name.removeprefix("packs/"))
            )
        return blobs.read(name, offset, length)

    monkeypatch.setattr(blobs, "read", read_after_a_move)
    assert source.load(Kind.DATA, hash_) == DATA


def test_a_chunk_whose_pack_is_gone_for_good_is_corrupt(store, hash_, blobs):
    for blob in list(blobs.list("packs/")):
        blobs.delete(blob.name)
    with pytest.raises(MissingBlob):
        ChunkSource(store._catalog, blobs).load(Kind.DATA, hash_)


class Copying:
    """Blobs with a damaged copy, which is forgotten when that is asked for."""

    def __init__(self, blobs: LocalBlobs, *, damaged: int) -> None:
        self._blobs = blobs
        self._damaged = damaged
        self.forgotten = 0

    def read(self, name: str, offset: int, length: int) -> bytes:
        data = self._blobs.read(name, offset, length)
        return data if self.forgotten >= self._damaged else bytes(byte ^ 1 for byte in data)

    def forget(self, name: str, offset: int, length: int) -> bool:
        self.forgotten += 1
        return True


def test_a_damaged_copy_is_fetched_once_more(store, hash_, blobs):
    assert ChunkSource(store._catalog, Copying(blobs, damaged=1)).load(Kind.DATA, hash_) == DATA


def test_what_is_damaged_at_its_place_too_is_corrupt(store, hash_, blobs):
    copying = Copying(blobs, damaged=9)
    with pytest.raises(Corrupt, match="is damaged"):
        ChunkSource(store._catalog, copying).load(Kind.DATA, hash_)
    assert copying.forgotten == 1


@pytest.fixture
def many(store: VersionStore) -> list[bytes]:
    """Hashes of many chunks in one pack."""
    with store.modify("images", "master") as writer:
        for number in range(40):
            writer.put(f"/{number:02}", str(number).encode() * 5000)
    return [bytes.fromhex(file.hash) for file in store.read("images", "master").list()]


def contents(source: ChunkSource, hashes: list[bytes]) -> list[bytes]:
    return [source.data(hash_) for hash_ in hashes]


def test_chunks_that_lie_together_are_prepared_by_one_read(store, many, blobs, monkeypatch):
    right = contents(ChunkSource(store._catalog, blobs), many)
    source, reads, read = ChunkSource(store._catalog, blobs), [], blobs.read
    monkeypatch.setattr(blobs, "read", lambda *where: reads.append(where) or read(*where))
    source.prepare(many)
    assert len(reads) == 1
    assert contents(source, many) == right
    source.prepare(many)
    assert len(reads) == 1


def test_preparing_leaves_out_what_is_lost_or_damaged_and_the_reader_is_told(store, many, blobs, tmp_path):
    place = store._catalog.find_chunk(many[3])
    with (tmp_path / "store/packs" / place.pack).open("r+b") as pack:
        pack.seek(place.offset)
        pack.write(b"damaged!")
    source = ChunkSource(store._catalog, blobs)
    source.prepare([*many, bytes(32)])
    assert contents(source, many[:3] + many[4:])
    with pytest.raises(Corrupt, match="is damaged"):
        source.data(many[3])


def test_chunks_far_apart_are_not_read_with_all_that_lies_between(store, many, blobs, monkeypatch):
    with store.modify("images", "master") as writer:
        writer.put("/large", random.Random(1).randbytes(3 << 20))
        writer.put("/z", b"behind it" * 1000)
    last = bytes.fromhex(store.read("images", "master").lookup("/z").hash)
    source, lengths, read = ChunkSource(store._catalog, blobs), [], blobs.read
    monkeypatch.setattr(blobs, "read", lambda *where: lengths.append(where[2]) or read(*where))
    source.prepare([*many, last])
    assert sum(lengths) < 1 << 20
