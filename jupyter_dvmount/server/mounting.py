"""Mounts being made or moved: where files are copied it takes long, tells how far, and can be stopped."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from jupyter_dvmount.mounting.model import Mount
from jupyter_dvmount.store import Conflict, Progress, StoreError, Unavailable

from .events import MountAction, MountEvent

log = logging.getLogger("jupyter_dvmount.server")

PROGRESS_PAUSE = 0.25
"""Seconds between two progress events of one mount."""
STOP_PATIENCE = 15.0
"""Seconds that a job has to notice that it was stopped; it looks after each block that it copies."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a job shall do; two equal ones are the same job.

    Parameters
    ----------
    name
        Name of the mount.
    repo, ref
        What to mount; empty where an existing mount is changed and keeps its own.
    follow
        Whether the mount follows its branch; None leaves it.
    """

    name: str
    repo: str = ""
    ref: str = ""
    follow: bool | None = None


Work = Callable[[Progress], Mount]
Totals = Callable[[], tuple[int, int]]


class MountJobs:
    """At most one job for a mount's name; to be used on the event loop only.

    A job goes on when the client that asked for it goes away, so that reloading a page does not throw
    minutes of copying away.

    Parameters
    ----------
    pool
        Where the jobs run; apart from the one of quick calls, which they would starve.
    notify
        Told of progress and failures, on the event loop.
    """

    def __init__(self, pool: Executor, notify: Callable[[MountEvent], None]) -> None:
        self._pool = pool
        self._notify = notify
        self._jobs: dict[str, _Job] = {}

    async def run(self, asked: Asked, work: Work, totals: Totals) -> Mount:
        """Do a job, or wait for the one under way if it is the same.

        Parameters
        ----------
        asked
            What it is.
        work
            Makes the mount, in the pool; what it is given reports progress, and raises to stop it.
        totals
            Tells (files, bytes) of the whole; asked in the pool if there is any progress to report.

        Raises
        ------
        Conflict
            If another job works on this mount, or if it was stopped.
        """
        job = self._jobs.get(asked.name) or self._start(asked, work, totals)
        if job.asked != asked:
            raise Conflict(
                f"{asked.name!r} is just being mounted", fix="wait for it, cancel it, or use another name"
            )
        try:
            return await asyncio.shield(asyncio.wrap_future(job.future))
        except asyncio.CancelledError:
            if job.stopped.is_set():  # before it began
                raise _cancelled(asked) from None
            raise

    async def stop(self, name: str) -> bool:
        """Stop the job of a mount, if there is one, and wait until it has cleaned up behind itself."""
        job = self._jobs.get(name)
        if job is None:
            return False
        job.stopped.set()
        job.future.cancel()
        ended = asyncio.wrap_future(job.future)
        await asyncio.wait({ended}, timeout=STOP_PATIENCE)
        if not ended.done():
            raise Unavailable(f"mounting {name!r} was told to stop and has not ended yet", fix="try again")
        if not ended.cancelled():
            ended.exception()  # whoever waits for the job is told of it; here it only has to be over
        return True

    async def stop_all(self) -> None:
        """Stop every job; for the end of the server."""
        await asyncio.gather(*map(self.stop, list(self._jobs)), return_exceptions=True)

    def _start(self, asked: Asked, work: Work, totals: Totals) -> _Job:
        loop = asyncio.get_running_loop()

        def on_loop(call: Callable[..., None], *arguments: object) -> None:
            with suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(call, *arguments)

        job = _Job(asked, totals, lambda event: on_loop(self._notify, event))
        job.future = self._pool.submit(work, job)
        self._jobs[asked.name] = job
        job.future.add_done_callback(lambda _: on_loop(self._end, job))
        return job

    def _end(self, job: _Job) -> None:
        del self._jobs[job.asked.name]
        error = _cancelled(job.asked) if job.future.cancelled() else job.future.exception()
        if error is None:
            return
        message = error.message if isinstance(error, StoreError) else "it failed; the server's log says why"
        log.info("mount %s: %s", job.asked.name, message)
        self._notify(replace(_about(job.asked, "failed"), message=message))


class _Job:
    """One job; called by the work with (files, bytes) done."""

    future: Future[Mount]

    def __init__(self, asked: Asked, totals: Totals, notify: Callable[[MountEvent], None]) -> None:
        self.asked = asked
        self.stopped = threading.Event()
        self._totals = totals
        self._notify = notify
        self._told = 0.0
        self._whole: tuple[int, int] | None = None

    def __call__(self, files: int, size: int) -> None:
        if self.stopped.is_set():
            raise _cancelled(self.asked)
        now = time.monotonic()
        if now - self._told < PROGRESS_PAUSE:
            return
        self._told = now
        if self._whole is None:
            self._whole = self._totals()
        done = replace(_about(self.asked, "progress"), files_done=files, bytes_done=size)
        self._notify(replace(done, files_total=self._whole[0], bytes_total=self._whole[1]))


def _about(asked: Asked, action: MountAction) -> MountEvent:
    return MountEvent(action=action, name=asked.name, repo=asked.repo, ref=asked.ref)


def _cancelled(asked: Asked) -> Conflict:
    return Conflict(f"mounting {asked.name!r} was cancelled")
