"""Answers that are lists: whole ones, and pages of long ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Generic, TypeVar

import msgspec

from jupyter_dvmount.pipelines.jobs import Part

T = TypeVar("T")


class Items(msgspec.Struct, Generic[T], frozen=True):
    """A whole list."""

    items: Sequence[T]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A part of a list; ``next`` is the ``after`` of the request for the next one, None at the end."""

    items: Sequence[T]
    next: str | None


def page(found: Iterable[T], limit: int, marker: Callable[[T], str]) -> Page[T]:
    """The first ``limit`` of the records found; ``marker`` is what the store continues a listing after."""
    items = list(islice(found, limit + 1))
    if len(items) <= limit:
        return Page(items, None)
    return Page(items[:limit], marker(items[limit - 1]))


def numbered(part: Part[T]) -> Page[T]:
    """A part of a list whose records are found by number."""
    return Page(part.items, None if part.next is None else str(part.next))
