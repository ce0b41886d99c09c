"""What all requests share, from the start of the server to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from jupyter_events import EventLogger

from jupyter_dvmount.store import StoreError, Unavailable

from .events import Events
from .health import Health, examine
from .lookouts import JobsLookout, StoreLookout
from .mounting import MountJobs
from .services import Services
from .watcher import Watcher

log = logging.getLogger("jupyter_dvmount.server")

END_PATIENCE = 5.0
"""Seconds that a look at the store may take when the server ends."""

T = TypeVar("T")


class Backend:
    """The services, the threads they block in, and the tasks that watch them.

    Parameters
    ----------
    event_logger
        Of the server.
    workers
        Threads for quick calls.
    copies
        Threads for mounting, which may mean copying.
    interval
        Seconds between two looks for changes.
    patience
        Seconds after which a quick call is given up. Its thread is lost until the call returns.
    """

    def __init__(
        self, event_logger: EventLogger, *, workers: int, copies: int, interval: float, patience: float
    ) -> None:
        self.services = Services()
        self._quick = ThreadPoolExecutor(workers, thread_name_prefix="dvmount-call")
        self._aside = ThreadPoolExecutor(2, thread_name_prefix="dvmount-look")  # for watcher and health
        self._long = ThreadPoolExecutor(copies, thread_name_prefix="dvmount-mount")
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="dvmount-jobs")  # for the watcher of jobs
        self._patience = patience
        events = Events(event_logger)
        self.mounting = MountJobs(self._long, events.send)
        self._watchers = (
            Watcher(StoreLookout(self.services), events, self._aside, interval),
            Watcher(JobsLookout(self.services, events.has_listeners), events, self._beside, interval),
        )
        self._stopped = False
        self._watching: set[asyncio.Task[None]] = set()
        self._examining: asyncio.Future[Health] | None = None

    async def start(self) -> None:
        """Begin to watch, bring the mounts of the last time up again, and have pipelines run."""
        if self._stopped:
            return
        self._watching = {asyncio.create_task(watcher.run()) for watcher in self._watchers}
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            loop.run_in_executor(self._long, self._restore),
            loop.run_in_executor(self._beside, self._have_controller),
        )

    def poke(self) -> None:
        """Look for changes now: a request has made some."""
        for watcher in self._watchers:
            watcher.poke()

    async def call(self, function: Callable[[], T]) -> T:
        """Run what blocks in a thread; `Unavailable` if it takes too long."""
        self._note_request()
        running = asyncio.get_running_loop().run_in_executor(self._quick, function)
        return await self._in_time(running)

    async def health(self) -> Health:
        """What works here. Requests at the same time share one examination, however long it takes."""
        self._note_request()
        if self._examining is None or self._examining.done():
            loop = asyncio.get_running_loop()
            self._examining = loop.run_in_executor(self._aside, examine, self.services)
        return await self._in_time(asyncio.shield(self._examining))

    async def stop(self) -> None:
        """End everything but the mounts."""
        self._stopped = True
        for watcher in self._watchers:
            watcher.end()
        if self._watching:
            await asyncio.wait(self._watching, timeout=END_PATIENCE)
        await self.mounting.stop_all()
        for pool in (self._quick, self._long, self._aside, self._beside):
            pool.shutdown(wait=False, cancel_futures=True)
        self.services.close()

    def _note_request(self) -> None:
        for watcher in self._watchers:
            watcher.note_request()

    async def _in_time(self, running: asyncio.Future[T]) -> T:
        try:
            return await asyncio.wait_for(running, self._patience)
        except asyncio.TimeoutError:
            raise Unavailable(
                f"the store has not answered within {self._patience:.0f} s",
                fix="look after the disk or network that it is on, then try again",
            ) from None

    def _restore(self) -> None:
        try:
            self.services.mounts().restore()
        except StoreError as error:
            log.warning("mounts cannot be restored: %s", error.message)
        except Exception:  # the server must start
            log.exception("mounts cannot be restored")

    def _have_controller(self) -> None:
        """Pipelines run although whoever made them is gone and the machine was restarted."""
        try:
            pipelines = self.services.peek_pipelines()
            if pipelines is not None and next(pipelines.all(), None) is not None:
                pipelines.ensure_controller()
        except StoreError as error:
            log.warning("pipelines do not run: %s", error.message)
        except Exception:  # the server must start
            log.exception("pipelines do not run")
