"""Finds out who reads the files of a directory one after the other.

Their contents lie next to each other in the store, and looking up, reading and checking many of them at once
takes half as long as one by one. Who reads at random shall cost nothing, so only neighbours that are read in
a row count.
"""

from __future__ import annotations

from threading import Lock

READERS = 16
"""Readers that are followed at a time. With `ROOM` for each they take two thirds of the store's cache."""
ROOM = 2 << 20
"""Most bytes that are at hand for one reader."""
_FIRST, _MOST = 8, 64  # files for one who has just begun, and at most; it doubles in between
_NEAR = 8  # how far from its turn a file may come: threads that share a directory do not come in order


class _Reader:
    """Somebody who may be reading on."""

    __slots__ = ("prepared", "reached", "window")

    def __init__(self, reached: int) -> None:
        self.reached = self.prepared = reached
        self.window = 0


class Readers:
    """Those who have read lately. Thread-safe."""

    def __init__(self) -> None:
        self._recent: list[_Reader] = []  # the latest first
        self._lock = Lock()

    def next_of(self, id_: int) -> range:
        """The nodes that are likely to be read soon after this one and have not been told yet; often none.

        Parameters
        ----------
        id_
            The node that is read now; neighbours have successive ids.
        """
        with self._lock:
            reader = self._find(id_)
            if reader is None:
                self._recent.insert(0, _Reader(id_ + 1))
                del self._recent[READERS:]
                return range(0)
            if id_ < reader.reached:
                return range(0)
            reader.reached = id_ + 1
            if reader.prepared - id_ > reader.window // 2 > 0:
                return range(0)
            reader.window = min(2 * reader.window or _FIRST, _MOST)
            begin = max(reader.prepared, reader.reached)
            reader.prepared = reader.reached + reader.window
            return range(begin, reader.prepared)

    def _find(self, id_: int) -> _Reader | None:
        for index, reader in enumerate(self._recent):
            if -_NEAR <= id_ - reader.reached <= _NEAR:
                if index:
                    self._recent.insert(0, self._recent.pop(index))
                return reader
        return None
