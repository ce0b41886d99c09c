"""Golden values of format 1 (docs/format.md): if one changes, old stores cannot be read."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from jupyter_dvmount.store import VersionStore
from jupyter_dvmount.store.embedded.blobs import LocalBlobs
from jupyter_dvmount.store.embedded.packs.chunking import cut
from jupyter_dvmount.store.embedded.packs.codec import Kind, decode, digest, encode
from jupyter_dvmount.store.embedded.packs.pack import PackWriter
from jupyter_dvmount.store.embedded.trees.tree import Item, Node, encode_node, ends_node
from jupyter_dvmount.store.embedded.writing.ingest import from_bytes

DATA = random.Random(1).randbytes(3_000_000)


def test_hashes_of_contents_are_plain_blake3() -> None:
    assert (
        digest(Kind.DATA, b"abc").hex() == "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
    )


def test_hashes_of_metadata_are_a_domain_of_their_own() -> None:
    assert (
        digest(Kind.META, b"abc").hex() == "cb1fa01b98cbdeabe692d98b879fb328b8785d36ee9bac33c5208d3a8db4088a"
    )


def test_chunks_end_where_they_always_did() -> None:
    assert [len(chunk) for window in cut(from_bytes(DATA)) for chunk in window] == [
        204367,
        274040,
        398271,
        477575,
        167523,
        84915,
        322763,
        291710,
        347199,
        431637,
    ]


def test_a_node_is_encoded_as_it_always_was() -> None:
    node = Node(0, ["/\0a", "/a/\0b"], [], [-1, 5], bytes(32) + bytes([7]) * 32)
    hash_, data = encode_node(node)
    assert data.hex() == "950092a32f0061a52f612f00629092ff05c440" + "00" * 32 + "07" * 32
    assert hash_.hex() == "d4612b84b710d5e1c2bfa8d41648dd1a15a6178fe7932e3d066ff069b0119c3d"


def test_nodes_end_where_they_always_did() -> None:
    ends = [n for n in range(2000) if ends_node(f"/d/\0{n}", 0)]
    assert ends == [340, 632, 819, 1103, 1471, 1780, 1806]
    assert [n for n in range(200_000) if ends_node(f"/d/\0{n}", 1)] == [
        51169,
        62250,
        73347,
        104567,
        115470,
        126749,
        189119,
    ]


def test_a_pack_is_laid_out_as_it_always_was(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    writer = PackWriter(LocalBlobs(tmp_path), Kind.DATA)
    writer.add([encode(Kind.DATA, b"hello")])
    pack = writer.seal()
    content = (tmp_path / "packs" / pack.name).read_bytes()
    assert content[:8] == b"DVMPACK1"
    assert content[8:13] == b"hello"
    assert content[-8:] == b"DVMPKEND"
    assert len(content) == pack.size
    assert int.from_bytes(content[-16:-8], "little") == pack.size - 13 - 48


def test_the_same_files_give_the_same_root_in_every_store(store: VersionStore) -> None:
    with store.modify("images", "master") as writer:
        writer.put("/a/small", b"small")
        writer.put("/large", DATA)
        writer.put("/empty", b"")
    reader = store.read("images", "master")
    assert {f.path: f.hash for f in reader.walk() if f.type == "file"} == {
        "/empty": "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        "/large": "4c6fa1d75b8bba81fbadaf34aa157aba87d2e1bf0a5f644a9389f613c3be97a0",
        "/a/small": "b0f55908f814f26164dc4b644ff892b4e0e000fa087d66497e7b06d27cf4a669",
    }
    assert reader.root.hex() == "d3b2fdd607e413fc10b336f57d4042827ecddc084295857f393061255bcc11b1"  # type: ignore[attr-defined]


@pytest.mark.parametrize("data", [b"", b"x", b"ab" * 50_000, DATA[:100_000], DATA[:1000] + bytes(99_000)])
def test_what_is_encoded_is_decoded(data: bytes) -> None:
    for kind in Kind:
        chunk = encode(kind, data)
        assert decode(kind, chunk.hash, bytes(chunk.payload), chunk.raw, chunk.codec) == data


def test_incompressible_chunks_are_stored_as_they_are() -> None:
    assert encode(Kind.DATA, DATA[:300_000]).codec == 0
    assert encode(Kind.DATA, bytes(300_000)).codec == 1


def test_a_damaged_chunk_is_never_decoded() -> None:
    for data in (b"text " * 1000, DATA[:5000]):
        chunk = encode(Kind.DATA, data)
        stored = bytes(chunk.payload)
        for position in range(0, len(stored), max(1, len(stored) // 50)):
            flipped = bytearray(stored)
            flipped[position] ^= 1
            assert decode(Kind.DATA, chunk.hash, bytes(flipped), chunk.raw, chunk.codec) in {None, data}
        assert decode(Kind.DATA, chunk.hash, stored[:-1], chunk.raw, chunk.codec) is None
        assert decode(Kind.DATA, chunk.hash, stored, chunk.raw + 1, chunk.codec) is None
        assert decode(Kind.META, chunk.hash, stored, chunk.raw, chunk.codec) is None
        assert decode(Kind.DATA, chunk.hash, stored, chunk.raw, 9) is None
    assert decode(Kind.DATA, chunk.hash, stored, 1 << 62, 1) is None


def test_a_file_cannot_be_made_that_has_the_hash_of_another_ones_chunk_list(store: VersionStore) -> None:
    with store.modify("images", "master") as writer:
        writer.put("/large", DATA)
    large = store.read("images", "master").lookup("/large")
    chunks = [chunk for window in cut(from_bytes(DATA)) for chunk in window]
    forged = [list(map(len, chunks)), b"".join(digest(Kind.DATA, chunk) for chunk in chunks)]
    with store.modify("images", "master") as writer:
        writer.put("/forged", msgspec.msgpack.encode(forged))
    assert large is not None
    assert store.read("images", "master").lookup("/forged").hash != large.hash


def test_entries_and_references_are_told_apart() -> None:
    assert Item(-1, bytes(32)).is_directory
    assert not Item(0, bytes(32)).is_directory
