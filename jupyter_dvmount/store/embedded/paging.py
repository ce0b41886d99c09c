"""Listings of any length, a page at a time, and waiting for what is not finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from jupyter_dvmount.store.errors import Unavailable
from jupyter_dvmount.store.model import Commit, CommitSet
from jupyter_dvmount.store.uri import check_limit

_PAGE = 200
_POLL = (0.01, 0.2)  # seconds between two looks at what is waited for: at first, at most
T = TypeVar("T")
Awaited = TypeVar("Awaited", Commit, CommitSet)


def paged(page: Callable[[T | None, int], list[T]], limit: int | None) -> Iterator[T]:
    """Records page by page; the first page is read at once, so that errors come at the call.

    Parameters
    ----------
    page
        Called with the last record seen, or None, and the number of records wanted.
    limit
        How many there are at most, or None for all.
    """
    check_limit(limit)
    first = page(None, _PAGE if limit is None else min(limit, _PAGE))
    return _rest(page, first, limit)


def wait(look: Callable[[], Awaited], what: str, timeout: float | None) -> Awaited:
    """Look again and again until the state is ``finished``; `Unavailable` after ``timeout`` seconds."""
    deadline = None if timeout is None else time.monotonic() + timeout
    pause = _POLL[0]
    while (found := look()).state != "finished":
        if deadline is not None and time.monotonic() + pause > deadline:
            raise Unavailable(f"{what} {found.id} is not finished after {timeout:g} s", fix="wait longer")
        time.sleep(pause)
        pause = min(2 * pause, _POLL[1])
    return found


def _rest(page: Callable[[T | None, int], list[T]], rows: list[T], limit: int | None) -> Iterator[T]:
    left = limit
    while rows:
        yield from rows
        if left is not None:
            left -= len(rows)
        count = _PAGE if left is None else min(left, _PAGE)
        rows = page(rows[-1], count) if count > 0 else []
