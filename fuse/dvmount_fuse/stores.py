"""Opens the stores that the daemon serves, lazily, by their id."""

from __future__ import annotations

import logging
from collections import defaultdict
from contextlib import suppress
from threading import Lock

from jupyter_dvmount.store import CommitReader, StoreError, Unavailable, VersionStore, load_engine, open_store
from jupyter_dvmount.store.uri import check_name

from .layout import KnownStore, State

log = logging.getLogger("jupyter_dvmount.fuse")


class Stores:
    """The stores known in a state directory. Thread-safe.

    Parameters
    ----------
    state
        Where the manager writes down which store is where.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._open: dict[str, tuple[KnownStore, VersionStore]] = {}
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)  # one that opens slowly holds no other up

    def known(self) -> list[str]:
        """Ids of all known stores."""
        return sorted(path.name for path in self._state.stores.iterdir())

    def warm(self) -> None:
        """Load the engines of the known stores, so that who comes first need not wait for it."""
        for store in self.known():
            with suppress(StoreError):
                load_engine(self._state.known_store(store).url)

    def get(self, store: str) -> VersionStore:
        """The open store with this id; opened on first use.

        Raises
        ------
        StoreError
            `NotFound` if nobody made it known, or what opening it raises.
        """
        check_name(store, "store")
        known = self._state.known_store(store)
        with self._locks[store]:
            opened = self._open.get(store)
            if opened is None or opened[0] != known:  # never seen, or moved to another place
                opened = self._open[store] = (known, _open_known(known))
            return opened[1]

    def read(self, store: str, repo: str, commit: str) -> CommitReader:
        """A reader for a finished commit."""
        return self.get(store).read(repo, commit)

    def close(self) -> None:
        """Close every store."""
        while self._open:
            _, (_, store) = self._open.popitem()
            try:
                store.close()
            except StoreError as error:
                log.warning("closing a store failed: %s", error)


def _open_known(known: KnownStore) -> VersionStore:
    opened = open_store(known.url, create=False)
    if opened.id != known.id:
        opened.close()
        raise Unavailable(f"another store is now at {known.url}: it has id {opened.id}, not {known.id}")
    log.info("opened store %s at %s", known.id, opened.url)
    return opened
