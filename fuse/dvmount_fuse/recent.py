"""A bounded cache that costs one dictionary lookup on a hit."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps at least the ``capacity // 2`` entries used last and never more than ``capacity``.

    Two generations: entries go into the young one; when it is full it becomes the old one and what
    was old is dropped. Thread-safe in that a race loses at most a cached entry.
    """

    def __init__(self, capacity: int) -> None:
        self._half = max(capacity // 2, 1)
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self.keys())

    def keys(self) -> set[K]:
        """Everything that is kept now."""
        return set(self._young) | set(self._old)

    def get(self, key: K) -> V | None:
        """The value, or None; a hit keeps it for longer."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: K, value: V) -> None:
        """Keep a value."""
        if len(self._young) >= self._half and key not in self._young:
            self._old, self._young = self._young, {}
        self._young[key] = value
