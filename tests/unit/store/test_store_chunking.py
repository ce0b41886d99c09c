"""Large files are cut by their contents alone."""

from __future__ import annotations

import io
import random
import tempfile
import time
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_dvmount.store import CommitReader, VersionStore, open_store
from jupyter_dvmount.store.embedded.packs import chunking
from jupyter_dvmount.store.embedded.packs.chunking import MAX, MIN, ChunkList, ChunkMap, cut
from jupyter_dvmount.store.embedded.writing.ingest import from_bytes, from_stream

DATA = random.Random(2).randbytes(6_000_000)


def lengths(data: bytes) -> list[int]:
    return [len(chunk) for window in cut(from_bytes(data)) for chunk in window]


def test_windows_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lengths(DATA)
    for window in (MAX, MAX + 1, 3 << 20):
        monkeypatch.setattr(chunking, "WINDOW", window)
        assert lengths(DATA) == whole
    assert sum(whole) == len(DATA)
    assert all(MIN <= length <= MAX for length in whole[:-1])


def test_an_insertion_changes_only_the_chunks_around_it() -> None:
    def chunks(data: bytes) -> set[bytes]:
        return {bytes(chunk) for window in cut(from_bytes(data)) for chunk in window}

    changed = DATA[:2_000_000] + b"inserted" + DATA[2_000_000:]
    assert len(chunks(changed) - chunks(DATA)) <= 2


class Dribble(io.RawIOBase):
    """A stream that gives a few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self.rest = data
        self.step = random.Random(3)

    def read(self, size: int = -1) -> bytes:
        count = min(size, self.step.randrange(1, 100_000))
        part, self.rest = self.rest[:count], self.rest[count:]
        return part


def test_it_does_not_matter_in_what_portions_a_stream_comes() -> None:
    window_lengths = [len(c) for window in cut(from_stream(Dribble(DATA))) for c in window]
    assert window_lengths == lengths(DATA)


@given(
    st.lists(st.tuples(st.integers(0, 20_000_000), st.integers(0, 3_000_000)), max_size=3),
    st.integers(0, 20_000_000),
)
@settings(max_examples=15, deadline=None)
def test_holes_are_cut_as_the_zeros_that_they_are(parts, tail) -> None:
    with tempfile.TemporaryDirectory() as directory, open_store(Path(directory, "s").as_uri()) as store:
        path = Path(directory, "sparse")
        with path.open("wb") as file:
            for hole, length in parts:
                file.seek(hole, io.SEEK_CUR)
                file.write(DATA[:length])
            file.truncate(file.tell() + tail)
        store.create_repo("images")
        with store.modify("images", "master") as writer, path.open("rb") as file:
            writer.put("/holes", path)
            writer.put("/zeros", file)
        reader = store.read("images", "master")
        holes, zeros = reader.lookup("/holes"), reader.lookup("/zeros")
        assert (holes.hash, holes.size) == (zeros.hash, zeros.size)


def test_a_hole_is_neither_read_nor_stored(store: VersionStore, tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.write(b"begin")
        file.seek(100 << 30)
        file.write(b"end")
    before = time.process_time()
    with store.modify("images", "master") as writer:
        writer.put_tree("/", [("sparse", path)])
    assert time.process_time() - before < 5, "reading 100 GiB takes half a minute and more"
    usage = store.usage()
    assert usage.logical == (100 << 30) + 3
    assert usage.size < 1 << 20
    with store.read("images", "master").open("/sparse") as stream:
        assert stream.read(7) == b"begin\0\0"
        stream.seek(-5, io.SEEK_END)
        assert stream.read() == b"\0\0end"


@given(st.lists(st.integers(0, 400_000), min_size=2, max_size=5))
@settings(max_examples=10, deadline=None)
def test_appending_gives_the_hash_of_the_whole(sizes) -> None:
    ends = list(accumulate(sizes, initial=0))
    parts = [DATA[start:stop] for start, stop in pairwise(ends)]
    with tempfile.TemporaryDirectory() as directory, open_store(Path(directory).as_uri()) as store:
        store.create_repo("images")
        with store.modify("images", "master") as writer:
            writer.put("/whole", b"".join(parts))
            for part in parts[:2]:
                writer.put("/appended", part, append=True)
        for part in parts[2:]:
            with store.modify("images", "master") as writer:
                writer.put("/appended", io.BytesIO(part), append=True)
        reader = store.read("images", "master")
        whole, appended = reader.lookup("/whole"), reader.lookup("/appended")
        assert (whole.hash, whole.size) == (appended.hash, appended.size)
        assert reader.open("/appended").read() == b"".join(parts)


def test_equal_contents_are_stored_once(store: VersionStore, tmp_path) -> None:
    def stored() -> int:
        return sum(pack.stat().st_size for pack in (tmp_path / "store" / "packs").iterdir())

    with store.modify("images", "master") as writer:
        writer.put("/one", DATA)
    before = stored()
    with store.modify("images", "master") as writer:
        writer.put("/two", DATA)
        writer.put("/three", DATA[:1_000_000] + b"!" + DATA[1_000_000:])
    assert stored() - before < 2 * MAX


def test_every_byte_of_a_large_file_is_found() -> None:
    chunks = ChunkMap(ChunkList([10, 20, 5], b""))
    assert [chunks.find(offset) for offset in (0, 9, 10, 29, 30, 34)] == [
        (0, 0),
        (0, 9),
        (1, 0),
        (1, 19),
        (2, 0),
        (2, 4),
    ]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommitReader]:
    with open_store(tmp_path_factory.mktemp("store").as_uri()) as store:
        store.create_repo("images")
        with store.modify("images", "master") as writer:
            writer.put("/large", DATA)
        yield store.read("images", "master")


@given(offset=st.integers(0, len(DATA) + 10), length=st.integers(0, 2_000_000))
@settings(max_examples=40, deadline=None)
def test_any_part_of_a_file_can_be_read(large: CommitReader, offset, length) -> None:
    buffer = bytearray(length)
    count = large.readinto(large.lookup("/large"), buffer, offset)
    assert bytes(buffer[:count]) == DATA[offset : offset + length]
