"""Bounds the reads that are under way, store by store: a store that does not answer holds no other one up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock

WIDTH = 8
"""Reads of one store at a time; the others wait for one of them to end."""

Work = Callable[[], None]


class _Lane:
    __slots__ = ("free", "waiting")

    def __init__(self, width: int) -> None:
        self.free = width
        self.waiting: deque[Work] = deque()


class Lanes:
    """Runs work in the thread that brings it, or leaves it to one that is busy with the same store.

    Parameters
    ----------
    width
        As `WIDTH`.
    """

    def __init__(self, width: int = WIDTH) -> None:
        self._width = width
        self._lanes: dict[str, _Lane] = {}
        self._lock = Lock()

    def run(self, store: str, work: Work) -> None:
        """Do the work of one store, and what others leave here meanwhile; or leave it to one of them."""
        with self._lock:
            lane = self._lanes.get(store)
            if lane is None:
                lane = self._lanes[store] = _Lane(self._width)
            if not lane.free:
                lane.waiting.append(work)
                return
            lane.free -= 1
        while True:
            work()
            with self._lock:
                if not lane.waiting:
                    lane.free += 1
                    return
                work = lane.waiting.popleft()
