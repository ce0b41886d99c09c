"""Reading a chunk whose pack moves away, or whose local copy is damaged, while it is read."""

from __future__ import annotations

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
