"""Lets mounts follow their branches, by the change feed of each store."""

from __future__ import annotations

import logging
import time

from dvmount_fuse.layout import State
from jupyter_dvmount.store import StoreError, VersionStore, open_store

from .records import Record

RETRY = 5.0
"""Seconds until a store that could not be followed is looked at again."""

log = logging.getLogger("jupyter_dvmount.mounting")


class Follower:
    """Moves the links of mounts that follow.

    Parameters
    ----------
    state
        The state directory.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._feeds: dict[str, _Feed] = {}
        self._rest: dict[str, float] = {}

    def follow(self, records: list[Record]) -> None:
        """Look once at the stores of these records; errors are logged, and it is tried again next time."""
        names: dict[str, set[str]] = {}
        for record in records:
            names.setdefault(record.url, set()).add(record.name)
        for url in self._feeds.keys() - names.keys():
            self._feeds.pop(url).close()
        for url, mounts in names.items():
            if time.monotonic() >= self._rest.get(url, 0.0) and not self._look(url, mounts):
                self._rest[url] = time.monotonic() + RETRY

    def _look(self, url: str, mounts: set[str]) -> bool:
        try:
            if url not in self._feeds:
                self._feeds[url] = _Feed(self._state, open_store(url, create=False))
            return self._feeds[url].look(mounts)
        except StoreError as error:
            log.warning("mounts of %s cannot follow: %s", url, error.message)
            return False

    def close(self) -> None:
        """Close the stores."""
        while self._feeds:
            self._feeds.popitem()[1].close()


class _Feed:
    """One store, and how far its changes have been seen."""

    def __init__(self, state: State, store: VersionStore) -> None:
        from jupyter_dvmount.config import Config  # nobody who waits for the daemon waits for these

        from .manager import MountManager

        self._store = store
        self._manager = MountManager(Config(store=store.url, state=state.path, root=state.path), store)
        self._mounts: set[str] = set()
        self._seen: int | None = None

    def look(self, mounts: set[str]) -> bool:
        """Move mounts if anything has changed since the last look, or if other mounts follow now.

        Returns
        -------
        bool
            Whether all are where they should be.
        """
        changes = self._store.changes(self._seen)
        if not changes and mounts == self._mounts:
            return True
        if not self._manager.advance():
            return False
        self._mounts = set(mounts)
        self._seen = changes[-1].seq if changes else self._seen or 0
        return True

    def close(self) -> None:
        self._store.close()
