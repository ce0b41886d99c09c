"""A pack is whole, or it is told that it is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_dvmount.store.embedded.blobs import LocalBlobs
from jupyter_dvmount.store.embedded.packs.codec import Kind, encode
from jupyter_dvmount.store.embedded.packs.pack import BadPack, PackWriter, SealedPack, read_footer


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    (tmp_path / "tmp").mkdir()
    return LocalBlobs(tmp_path)


@pytest.fixture
def pack(blobs: LocalBlobs) -> SealedPack:
    writer = PackWriter(blobs, Kind.META)
    for number in range(20):
        writer.add([encode(Kind.META, b"%d " % number * 100)])
    return writer.seal()


def test_a_pack_tells_what_it_holds(blobs: LocalBlobs, pack: SealedPack) -> None:
    kind, places = read_footer(blobs, pack.name)
    assert kind is Kind.META
    assert list(places) == pack.places


def test_a_pack_that_is_cut_off_anywhere_is_refused(tmp_path: Path, pack: SealedPack) -> None:
    path = tmp_path / "packs" / pack.name
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(BadPack):
            read_footer(LocalBlobs(tmp_path), pack.name)


def test_a_pack_with_a_damaged_footer_is_refused(tmp_path: Path, pack: SealedPack) -> None:
    path = tmp_path / "packs" / pack.name
    content = path.read_bytes()
    footer = len(content) - 48 - int.from_bytes(content[-16:-8], "little")
    for position in [0, *range(footer, len(content))]:
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x40]) + content[position + 1 :])
        with pytest.raises(BadPack):
            read_footer(LocalBlobs(tmp_path), pack.name)


def test_a_missing_pack_is_refused(blobs: LocalBlobs) -> None:
    with pytest.raises(BadPack, match="missing"):
        read_footer(blobs, "none")


def test_what_was_just_written_can_be_read_back(blobs: LocalBlobs) -> None:
    writer = PackWriter(blobs, Kind.DATA)
    chunk = encode(Kind.DATA, b"abc")
    writer.add([chunk])
    assert writer.read(chunk.hash) == b"abc"
    assert writer.read(bytes(32)) is None
    writer.abort()


def test_an_aborted_pack_leaves_nothing(blobs: LocalBlobs) -> None:
    writer = PackWriter(blobs, Kind.DATA)
    writer.add([encode(Kind.DATA, bytes(100))])
    writer.abort()
    assert list(blobs.staging.iterdir()) == []


def test_more_chunks_than_one_call_takes_come_out_as_they_went_in(blobs: LocalBlobs) -> None:
    chunks = [encode(Kind.DATA, b"%d" % number) for number in range(3000)]
    chunks.insert(7, encode(Kind.DATA, b""))
    writer = PackWriter(blobs, Kind.DATA)
    assert writer.add(chunks) == len(chunks)
    content = blobs.load(f"packs/{writer.seal().name}")
    for chunk, place in zip(chunks, writer.places.values(), strict=True):
        assert place.hash == chunk.hash
        assert content[place.offset : place.offset + place.stored] == bytes(chunk.payload)


def test_a_pack_takes_nothing_more_when_it_is_full(blobs: LocalBlobs) -> None:
    chunks = [encode(Kind.DATA, bytes([number]) + os.urandom(8 << 20)) for number in range(6)]
    writer = PackWriter(blobs, Kind.DATA)
    assert writer.add(chunks) == 4
    assert writer.full
    assert writer.add(chunks[4:]) == 0
