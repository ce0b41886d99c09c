"""Tells browsers what other processes do: looks again and again, and sends what it finds."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import Executor
from contextlib import suppress

from jupyter_dvmount.store import StoreError

from .events import Events
from .lookouts import Lookout, Seen

log = logging.getLogger("jupyter_dvmount.server")

IDLE_FACTOR = 10
"""How many times slower it looks while nobody listens or asks."""
RECENT = 60.0
"""Seconds after a request in which somebody is taken to be there."""
MAX_PAUSE = 60.0
"""Longest pause in seconds after errors."""
_DOUBLINGS = 10  # of the pause, after which it is surely longer than the longest
_SLICE = 50  # events sent before other requests get their turn


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
        for number, event in enumerate(seen.events, start=1):
            self._events.send(event)
            if number % _SLICE == 0:
                await asyncio.sleep(0)

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        complaint = f"{type(error).__name__}: {error}"
        if complaint != self._complaint:
            trace = None if isinstance(error, StoreError) else error
            log.warning("cannot watch the %s: %s", self._lookout.subject, complaint, exc_info=trace)
        self._complaint = complaint

    def _pause(self) -> float:
        there = self._events.has_listeners() or self._is_recent()
        pause = self._interval * (1 if there else IDLE_FACTOR)
        return min(pause * (1 << min(self._failures, _DOUBLINGS)), max(MAX_PAUSE, pause))

    def _is_recent(self) -> bool:
        return time.monotonic() - self._asked < RECENT
