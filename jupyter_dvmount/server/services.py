"""What the handlers work with: configuration, store, mounts and pipelines, opened when first needed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import msgspec

from jupyter_dvmount.config import Config, load_config
from jupyter_dvmount.doctor import without_secrets
from jupyter_dvmount.mounting.lazy import lazy_manager
from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.store import NotFound, StoreError, Unavailable, VersionStore, open_store

if TYPE_CHECKING:
    from jupyter_dvmount.pipelines.service import Pipelines

log = logging.getLogger("jupyter_dvmount.server")

OPEN_PATIENCE = 10.0
"""Seconds that a request waits for another one that is opening the store."""

T = TypeVar("T")


class Opened(msgspec.Struct, frozen=True):
    """A store that could be opened, and what belongs to it."""

    config: Config
    store: VersionStore
    mounts: MountManager


class Services:
    """Opens the store when it is first needed, and again where that has failed. Thread-safe; blocks.

    The server starts and answers whatever is wrong with the store: `open` raises, and the next call tries
    again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: Opened | None = None
        self._pipelines: tuple[Opened, Pipelines] | None = None
        self._retired: list[Pipelines | VersionStore] = []
        self._used: set[str] = set()

    @property
    def opened(self) -> Opened | None:
        """What is open already."""
        return self._opened

    def has_used(self, url: str) -> bool:
        """Whether this server has worked with the store at a URL; one that was there is never made anew."""
        return url in self._used

    def open(self, *, create: bool = True) -> Opened:
        """The store and its mounts.

        Parameters
        ----------
        create
            Make a store that does not exist yet and has never been there while this server ran.

        Raises
        ------
        StoreError
            If the configuration is wrong or the store cannot be opened; without any secret of its URL.
        """
        opened = self._opened
        return opened if opened is not None else self._locked(lambda: self._open(create))

    def mounts(self) -> MountManager:
        """The mounts; they can be taken away although the store cannot be opened."""
        opened = self._opened
        return opened.mounts if opened else lazy_manager(load_config(), lambda: self.open().store)

    def pipelines(self) -> Pipelines:
        """The pipelines of the store; their database may be in trouble while the store is not."""
        opened = self.open()
        held = self._pipelines
        if held is not None and held[0] is opened:
            return held[1]
        return self._locked(lambda: self._open_pipelines(opened))

    def peek_pipelines(self) -> Pipelines | None:
        """The same if there may be any; nothing is made for it."""
        from jupyter_dvmount.pipelines.jobs.database import has_database

        opened = self.peek()
        return self.pipelines() if opened is not None and has_database(opened.config, opened.store) else None

    def peek(self) -> Opened | None:
        """The same if the store exists; it is not made."""
        with suppress(NotFound):
            return self.open(create=False)
        return None

    def refresh(self) -> None:
        """Find out whether another store is meant or stands at the URL now; it is used from then on.

        A store whose directory has been deleted goes on answering from the files that are still open.
        """
        opened = self._opened
        if opened is not None and not _is_current(opened):
            self._locked(lambda: self._retire(opened))

    def close(self) -> None:
        """Close the store; mounts stay."""
        with self._lock:
            self._put_away()
            retired, self._retired = self._retired, []
        for each in retired:
            each.close()

    def _locked(self, action: Callable[[], T]) -> T:
        """Bounded, so that a store that hangs while it is opened does not take every worker with it."""
        if not self._lock.acquire(timeout=OPEN_PATIENCE):
            raise Unavailable(
                f"the store is still being opened after {OPEN_PATIENCE:.0f} s",
                fix="look after the disk or network that it is on",
            )
        try:
            return action()
        finally:
            self._lock.release()

    def _open(self, create: bool) -> Opened:
        if self._opened is None:
            config = load_config()
            store = _open_store(config.store, create=create and not self.has_used(config.store))
            self._used.add(config.store)
            self._opened = Opened(config, store, MountManager(config, store))
            log.info("opened the store %s", store.url)
        return self._opened

    def _open_pipelines(self, opened: Opened) -> Pipelines:
        from jupyter_dvmount.pipelines.service import Pipelines  # slow to import, and not everybody has any

        if self._pipelines is None or self._pipelines[0] is not opened:
            self._pipelines = opened, Pipelines(opened.config, opened.store)
        return self._pipelines[1]

    def _retire(self, opened: Opened) -> None:
        if self._opened is opened:
            log.warning("the store %s is not the one that was opened any more", opened.store.url)
            self._put_away()

    def _put_away(self) -> None:
        """Have what is open closed at the end: other requests may be using it."""
        if self._pipelines is not None:
            self._retired.append(self._pipelines[1])
        if self._opened is not None:
            self._retired.append(self._opened.store)
        self._opened = self._pipelines = None


def _is_current(opened: Opened) -> bool:
    try:
        if load_config() != opened.config:
            return False
        with open_store(opened.config.store, create=False) as store:
            return store.id == opened.store.id
    except StoreError:
        return False


def _open_store(url: str, *, create: bool) -> VersionStore:
    try:
        return open_store(url, create=create)
    except StoreError as error:
        public = without_secrets(url)
        raise type(error)(
            error.message.replace(url, public), fix=error.fix.replace(url, public)
        ) from None  # the original has the secret in its text
