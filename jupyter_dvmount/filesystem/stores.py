"""The stores that the file systems of this process share.

fsspec makes an instance a thread and pickles instances to other processes, so that they cannot hold a store
themselves. A store is not taken over a fork: the child opens its own.
"""

from __future__ import annotations

import atexit
import os
import threading

from jupyter_dvmount.store import VersionStore, open_store


class _Stores:
    """Open stores by URL."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, VersionStore] = {}
        self._inherited: list[VersionStore] = []

    def get(self, url: str, *, create: bool) -> VersionStore:
        with self._lock:
            if url not in self._open:
                self._open[url] = open_store(url, create=create)
            return self._open[url]

    def after_fork(self) -> None:
        """Leave the parent's stores alone: neither use nor close them, for SQLite allows neither."""
        self._lock = threading.Lock()
        self._inherited.extend(self._open.values())
        self._open = {}

    def close(self) -> None:
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


_stores = _Stores()
os.register_at_fork(after_in_child=_stores.after_fork)
atexit.register(_stores.close)


def shared_store(url: str, *, create: bool = False) -> VersionStore:
    """The store at a URL, opened when it is first needed; see `jupyter_dvmount.store.open_store`."""
    return _stores.get(url, create=create)
