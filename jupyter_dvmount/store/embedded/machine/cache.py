"""A thread-safe cache of bounded weight that computes each missing value once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")
_STRIPES = 64


class Cache(Generic[V]):
    """Least recently used values by hash.

    Parameters
    ----------
    limit
        Largest sum of weights that is kept.
    weight
        Weight of a value, 1 by default.
    """

    def __init__(self, limit: int, weight: Callable[[V], int] = lambda _value: 1) -> None:
        self._limit = limit
        self._weight = weight
        self._values: OrderedDict[bytes, V] = OrderedDict()
        self._total = 0
        self._lock = threading.Lock()
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]

    def get(self, key: bytes, load: Callable[[bytes], V]) -> V:
        """The value of ``key``, from ``load`` where it is not held; threads that miss together load once."""
        value = self._find(key)
        if value is not None:
            return value
        with self._stripes[key[0] % _STRIPES]:
            value = self._find(key)
            if value is None:
                value = load(key)
                self._keep(key, value)
        return value

    def holds(self, key: bytes) -> bool:
        """Whether a value is held; does not count as use."""
        return key in self._values

    def add(self, key: bytes, value: V) -> None:
        """Hold a value that has been made without being asked for."""
        with self._stripes[key[0] % _STRIPES]:
            if not self.holds(key):
                self._keep(key, value)

    def _find(self, key: bytes) -> V | None:
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def _keep(self, key: bytes, value: V) -> None:
        with self._lock:
            self._values[key] = value
            self._total += self._weight(value)
            while self._total > self._limit and len(self._values) > 1:
                _, old = self._values.popitem(last=False)
                self._total -= self._weight(old)
