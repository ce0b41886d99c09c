from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dvmount_fuse.listing import Listing

NAMES = [b"%d" % number for number in range(20)]
ALL = [b".", b"..", *NAMES]


def listing():
    return Listing([(b".", None), (b"..", None)], lambda: iter([(name, None) for name in NAMES]))


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
        seen += [name for name, _ in part]
        offset += len(part)
    assert seen == ALL[: sum(sizes)]


@given(st.lists(st.integers(0, 25), max_size=15))
def test_any_offset_can_be_asked_for_again(offsets):
    directory = listing()
    for offset in offsets:
        assert [name for name, _ in directory.after(offset)] == ALL[offset:]
