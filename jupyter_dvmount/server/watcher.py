"""Tells browsers what other processes do: looks at the store's change feed and at what is mounted."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress

import msgspec

from dvmount_fuse.layout import State
from jupyter_dvmount.mounting.model import Mount
from jupyter_dvmount.store import Change, StoreError

from .events import Events, MountEvent, about
from .services import Opened, Services

log = logging.getLogger("jupyter_dvmount.server")

IDLE_FACTOR = 10
"""How many times slower it looks while nobody listens or asks."""
RECENT = 60.0
"""Seconds after a request in which somebody is taken to be there."""
MOUNTS_AGE = 15.0
"""Seconds after which mounts are listed without a sign of change: a dead daemon leaves none."""
MAX_PAUSE = 60.0
"""Longest pause in seconds after errors."""
_DOUBLINGS = 10  # of the pause, after which it is surely longer than the longest
_SLICE = 50  # events sent before other requests get their turn
_FEED_PAGE = 1000


class Seen(msgspec.Struct, frozen=True):
    """What one look has found, and why it could not look at the mounts, if so."""

    changes: tuple[Change, ...] = ()
    mounts: tuple[MountEvent, ...] = ()
    trouble: StoreError | None = None


class Lookout:
    """Finds out what has changed since it looked last. Blocks; to be used by one thread at a time.

    The first look at a store takes note of how things are, unless the store has only just been made.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._opened: Opened | None = None
        self._absent = False
        self._seq = 0
        self._mark: object = None
        self._mounts: dict[str, Mount] = {}
        self._listed = 0.0

    def look(self) -> Seen:
        """What has happened since the last look."""
        opened = self._services.peek()
        if opened is None:
            self._absent = True
            return Seen()
        if opened is not self._opened:
            self._begin(opened)
        changes = tuple(self._feed(opened))
        try:
            opened.mounts.look_after()
            return Seen(changes, tuple(self._mount_events(opened, moved=bool(changes))))
        except StoreError as error:  # the changes must not be lost by it
            return Seen(changes, (), error)

    def _begin(self, opened: Opened) -> None:
        newest = [] if self._absent else opened.store.changes(None)
        self._seq = newest[-1].seq if newest else 0
        self._mark = None if self._absent else _mark(opened)
        self._mounts = {} if self._absent else {mount.name: mount for mount in opened.mounts.list()}
        self._listed = time.monotonic()
        self._opened, self._absent = opened, False

    def _feed(self, opened: Opened) -> Iterator[Change]:
        while True:
            page = opened.store.changes(self._seq, limit=_FEED_PAGE)
            if page:
                self._seq = page[-1].seq
                yield from page
            if len(page) < _FEED_PAGE:
                return

    def _mount_events(self, opened: Opened, *, moved: bool) -> Iterator[MountEvent]:
        mark = _mark(opened)
        if mark == self._mark and not moved and time.monotonic() - self._listed < MOUNTS_AGE:
            return
        before, after = self._mounts, {mount.name: mount for mount in opened.mounts.list()}
        self._mark, self._mounts, self._listed = mark, after, time.monotonic()
        for name, mount in before.items():
            if name not in after:
                yield about(mount, "unmounted")
        for name, mount in after.items():
            if name not in before:
                yield about(mount, "mounted")
            elif mount != before[name]:
                yield about(mount, "updated")


def _mark(opened: Opened) -> object:
    """Changes whenever a record of a mount does, since records are replaced as whole files."""
    with suppress(FileNotFoundError):
        places = State(opened.config.state).mounts.iterdir()
        return {(place.name, (status := place.lstat()).st_mtime_ns, status.st_ino) for place in places}
    return None


class Watcher:
    """Looks again and again and sends what it finds.

    Parameters
    ----------
    lookout
        Finds out what has changed.
    events
        Where to tell it.
    pool
        Where looking blocks.
    interval
        Seconds between two looks while somebody listens or asks.
    """

    def __init__(self, lookout: Lookout, events: Events, pool: Executor, interval: float) -> None:
        self._lookout = lookout
        self._events = events
        self._pool = pool
        self._interval = interval
        self._wake = asyncio.Event()
        self._ended = False
        self._asked = float("-inf")
        self._failures = 0
        self._complaint = ""

    def poke(self) -> None:
        """Look now: a request of ours has changed something."""
        self._wake.set()

    def note_request(self) -> None:
        """Somebody is there."""
        if not self._is_recent():
            self._wake.set()  # out of a long pause
        self._asked = time.monotonic()

    def end(self) -> None:
        """Let `run` return. Cancelling it is no way: Python 3.10 and 3.11 may lose that (bpo-37658)."""
        self._ended = True
        self._wake.set()

    async def run(self) -> None:
        """Watch until `end`."""
        while not self._ended:
            self._wake.clear()
            await self._look()
            if self._ended:
                return
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._pause())

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            seen = await loop.run_in_executor(self._pool, self._lookout.look)
            await self._send(seen)
            if seen.trouble is not None:
                raise seen.trouble
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, it must look again
            self._fail(error)
        else:
            self._failures, self._complaint = 0, ""

    async def _send(self, seen: Seen) -> None:
        calls: list[Callable[[], None]] = [
            *(lambda change=change: self._events.send_change(change) for change in seen.changes),
            *(lambda event=event: self._events.send_mount(event) for event in seen.mounts),
        ]
        for number, call in enumerate(calls, start=1):
            call()
            if number % _SLICE == 0:
                await asyncio.sleep(0)

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        complaint = f"{type(error).__name__}: {error}"
        if complaint != self._complaint:
            trace = None if isinstance(error, StoreError) else error
            log.warning("cannot watch the store: %s", complaint, exc_info=trace)
        self._complaint = complaint

    def _pause(self) -> float:
        there = self._events.has_listeners() or self._is_recent()
        pause = self._interval * (1 if there else IDLE_FACTOR)
        return min(pause * (1 << min(self._failures, _DOUBLINGS)), max(MAX_PAUSE, pause))

    def _is_recent(self) -> bool:
        return time.monotonic() - self._asked < RECENT
