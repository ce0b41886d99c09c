from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dvmount_fuse.listing import Listing
from dvmount_fuse.recent import Recent

NAMES = [f"n{number}" for number in range(20)]


def listing():
    return Listing(lambda: iter([(name, None) for name in NAMES]))


def take(found, count):
    """What a kernel buffer with room for ``count`` entries gets; it sees one more that does not fit."""
    taken = []
    for entry in found:
        if len(taken) == count:
            break
        taken.append(entry)
    return taken


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_a_listing_is_complete_whatever_fits_the_buffer(sizes):
    directory, seen, offset = listing(), [], 0
    for size in sizes:
        part = take(directory.after(offset), size)
        seen += [name for _, name, _ in part]
        offset = part[-1][0] if part else offset
    assert seen == [".", "..", *NAMES][: sum(sizes)]


@given(st.lists(st.integers(0, 25), max_size=15))
def test_any_offset_can_be_asked_for_again(offsets):
    directory = listing()
    for offset in offsets:
        assert [name for _, name, _ in directory.after(offset)] == [".", "..", *NAMES][offset:]


def test_offsets_are_never_zero():
    assert [position for position, _, _ in listing().after(0)] == list(range(1, 23))


@given(st.integers(2, 20), st.lists(st.integers(0, 40), max_size=200))
def test_a_cache_never_outgrows_its_capacity_and_never_invents(capacity, keys):
    cache: Recent[int, str] = Recent(capacity)
    for key in keys:
        assert cache.get(key) in {None, str(key)}
        cache.put(key, str(key))
        assert cache.get(key) == str(key)
        assert len(cache) <= capacity
