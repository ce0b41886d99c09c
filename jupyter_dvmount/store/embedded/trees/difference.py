"""Compare two range trees without visiting what they share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .tree import Cursor, Item, Load, Node

Place = tuple[Node, int]


class Difference(NamedTuple):
    """One key that differs; ``old`` or ``new`` is None where the key is absent."""

    key: str
    old: Item | None
    new: Item | None


def difference(
    load: Load, old: bytes | None, new: bytes | None, low: str = "/", high: str = "0"
) -> Iterator[Difference]:
    """Keys in [low, high) on which two trees differ, in order."""
    if old == new:
        return
    left, right = Cursor(load, old), Cursor(load, new)
    left.seek(low)
    right.seek(low)
    while left.here is not None or right.here is not None:
        if _skip_equal(left, right) or _enter(left, right):
            continue
        entry = _next_entry(left, right)
        if entry.key >= high:
            return
        if entry.old != entry.new:
            yield entry


def _skip_equal(left: Cursor, right: Cursor) -> bool:
    """Go past a child that both sides have."""
    a, b = left.here, right.here
    if a is None or b is None or not a[0].level or a[0].level != b[0].level:
        return False
    if a[0].hash(a[1]) != b[0].hash(b[1]):
        return False
    left.skip()
    right.skip()
    return True


def _enter(left: Cursor, right: Cursor) -> bool:
    """Go down where a side stands on a child: on the higher level first, else where the child ends first."""
    inner = [
        (-place[0].level, place[0].keys[place[1]], side)
        for side, place in enumerate((left.here, right.here))
        if place is not None and place[0].level
    ]
    if not inner:
        return False
    (left, right)[min(inner)[2]].enter()
    return True


def _next_entry(left: Cursor, right: Cursor) -> Difference:
    """Take the lower of two entries, or both where their keys are equal."""
    a, b = left.here, right.here
    key = min(place[0].keys[place[1]] for place in (a, b) if place is not None)
    return Difference(key, _take(left, a, key), _take(right, b, key))


def _take(cursor: Cursor, place: Place | None, key: str) -> Item | None:
    if place is None:
        return None
    node, index = place
    if node.keys[index] != key:
        return None
    cursor.skip()
    return Item(node.sizes[index], node.hash(index))
