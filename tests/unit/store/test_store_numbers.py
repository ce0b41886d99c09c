"""Entries by number and contents in pieces, as the mount asks for them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_dvmount.store import Invalid, Unavailable
from jupyter_dvmount.store.embedded.reading import reader as module

SIZES = {"/empty": 0, "/small": 1000, "/d/one": 1, "/d/e/large": 3_000_000}


@pytest.fixture
def reader(store):
    with store.modify("images", "master") as writer:
        for path, size in SIZES.items():
            writer.put(path, bytes(index * 7 % 251 for index in range(size)))
        for number in range(2000):
            writer.put(f"/many/{number:04}", b"x" * (number % 5))
    return store.read("images", "master")


def test_an_entry_is_found_again_under_its_number(reader):
    paths = ["/", *(info.path for info in reader.walk())]
    numbers = {path: reader.number(path) for path in paths}
    assert len(set(numbers.values())) == len(paths)
    assert numbers["/"] == 0
    assert max(numbers.values()) < 1 << 44
    for path, number in numbers.items():
        assert reader.numbered(number) == reader.lookup(path)
    assert reader.number("/no") is None
    assert reader.number("/zzz") is None


def test_a_number_that_was_never_given_is_refused(reader):
    for number in (1, 5, 1 << 30, (1 << 20) + (1 << 19)):
        with pytest.raises(Invalid):
            reader.numbered(number)


def test_blocks_say_what_a_listing_says(reader):
    for directory in ("/", "/d", "/d/e", "/many"):
        told = [
            (block.first + index, name, size)
            for block in reader.blocks(directory)
            for index, (name, size) in enumerate(zip(block.names, block.sizes, strict=True))
        ]
        listed = [
            (reader.number(info.path), info.name, -1 if info.type == "dir" else info.size)
            for info in reader.list(directory)
        ]
        assert told == listed
    with pytest.raises(Invalid):
        list(reader.blocks("/small"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.sampled_from(sorted(SIZES)), st.integers(0, 3_100_000), st.integers(0, 1_500_000))
def test_pieces_are_the_bytes_that_a_read_gives(reader, path, offset, length):
    info = reader.lookup(path)
    buffer = bytearray(length)
    got = reader.readinto(info, buffer, offset)
    assert b"".join(reader.parts(info, offset, length)) == bytes(buffer[:got])


def test_a_leaf_too_large_to_be_numbered_is_said_and_not_confused_with_the_next(reader, monkeypatch):
    monkeypatch.setattr(module, "_INDEX_BITS", 2)
    with pytest.raises(Unavailable, match="too large"):
        reader.number("/small")


def test_preparing_takes_the_next_small_files_that_fit(reader, monkeypatch):
    asked = []
    monkeypatch.setattr(reader._chunks, "prepare", asked.extend)
    first = reader.number("/many/0100")
    reader.prepare(first, 20, 12)
    sizes = [(number % 5) for number in range(100, 120)]
    assert 0 < len(asked) < len([size for size in sizes if size])
    asked.clear()
    reader.prepare(reader.number("/d/e/large"), 1, 1 << 30)
    reader.prepare(reader.number("/empty"), 1, 1 << 30)
    assert asked == []


def test_preparing_ends_where_the_numbers_end(reader):
    last = max(reader.number(info.path) for info in reader.walk())
    reader.prepare(last, 1000, 1 << 20)
    reader.prepare(last + 1000, 1000, 1 << 20)
