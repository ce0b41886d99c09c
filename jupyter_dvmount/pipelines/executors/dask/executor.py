"""The executor ``dask``: which batch is where, and what becomes of it when something dies.

What decides runs in an event loop in a thread of its own. A batch whose worker, scheduler or network is lost
has failed with the class ``infrastructure``; whoever has submitted it tries again, and nobody else does.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any

from msgspec.structs import replace
from typing_extensions import Self

from jupyter_dvmount.config import Config
from jupyter_dvmount.pipelines.executors.base import Full, drain
from jupyter_dvmount.pipelines.executors.local import QUEUE, order_of
from jupyter_dvmount.pipelines.logs import LogLine
from jupyter_dvmount.pipelines.messages import Batch, Event, Finished, Logged, Run
from jupyter_dvmount.pipelines.sandbox.plan import FailureClass, Outcome, State
from jupyter_dvmount.pipelines.secrets import SecretStore
from jupyter_dvmount.store import StoreError, Unavailable

from .cluster import Cluster
from .line import Line, Lost
from .messages import Begin, Nothing, Open, Report, Stop, Told, introduce

log = logging.getLogger("jupyter_dvmount.pipelines")

IDLE = 30.0
"""Seconds without a batch after which a cluster on this machine is ended: an idle one costs 17% of a core."""
LOOK = 1.0
"""Seconds between two looks at which workers there are."""
RECHECK = 10.0
"""Seconds between two looks at whether a worker that could not be used can be used now."""
GRACE = 10.0
"""Seconds that the last reports of a task may come after its end."""
_AGAIN = (0.2, 10.0)  # seconds between two attempts to connect: at first, at most
_END_PATIENCE = 20.0


class _Task:
    """A batch that is not over."""

    def __init__(self, order: Run) -> None:
        self.key = f"{order.batch.pipeline}-{os.urandom(8).hex()}"
        self.order = order
        self.open = {attempt.id for attempt in order.batch.attempts}
        self.cancelled: set[str] = set()
        self.line: Line | None = None
        self.meant_for: frozenset[str] | None = None
        self.following: asyncio.Future[None] | None = None
        self.is_over = asyncio.Event()

    @property
    def rest(self) -> Run:
        """What of its order has not been cancelled."""
        attempts = tuple(each for each in self.order.batch.attempts if each.id in self.open)
        return Run(replace(self.order.batch, attempts=attempts), self.order.secrets)


class DaskExecutor:
    """An `Executor` of tasks on a Dask cluster.

    Parameters
    ----------
    config, secrets
        As for `open_executor`; ``config.dask`` is the scheduler's address.
    slots
        Workers of a cluster on this machine; of another one, at most so many threads are used.
    """

    name = "dask"

    def __init__(self, config: Config, secrets: SecretStore, slots: int | None = None) -> None:
        self.slots = slots or len(os.sched_getaffinity(0))
        self._most = slots
        self._config = config
        self._secrets = secrets
        self._owner = f"{socket.gethostname()}:{config.state}"
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._tasks: dict[str, _Task] = {}
        self._trouble: Unavailable | None = None
        self._closed = False
        self._cluster: Cluster | None = None
        self._lines: dict[str, Line] = {}
        self._unfit: dict[str, tuple[float, Unavailable]] = {}
        self._met: set[str] = set()
        self._background: set[asyncio.Future[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._thread = threading.Thread(target=self._work, name="dvmount-dask", daemon=True)
        self._thread.start()

    # from any thread

    @property
    def room(self) -> int:
        """How many batches can be submitted now."""
        return max(QUEUE * self.slots - len(self._tasks), 0)

    def submit(self, batch: Batch) -> None:
        """Queue a batch; `Unavailable` says why nothing can be run now."""
        task = _Task(order_of(batch, self._secrets))
        if self._closed:
            raise Unavailable("the executor has been closed", fix="open another one")
        trouble = self._trouble
        if trouble is not None:
            raise Unavailable(trouble.message, fix=trouble.fix)
        if not self.room:
            raise Full("the executor's queue is full", fix="submit again when an attempt has finished")
        self._tasks[task.key] = task
        self._loop.call_soon_threadsafe(self._start, task)

    def cancel(self, attempt: str) -> None:
        """End an attempt, or do not begin it."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._cancel, attempt)

    def events(self, timeout: float | None = None) -> list[Event]:
        """What has happened since the last call."""
        return drain(self._events, timeout)

    def close(self) -> None:
        """End everything, at once."""
        self._closed = True
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake.set)
        self._thread.join(_END_PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    # the connection

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._live())
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _live(self) -> None:
        pause = _AGAIN[0]
        while not self._closed:
            if not (self._config.dask or self._tasks or self._trouble):
                await self._rest(None)
                continue
            try:
                cluster = await self._connect()
            except Unavailable as error:
                self._complain(error)
            else:
                pause = _AGAIN[0]
                try:
                    await self._serve(cluster)
                except Unavailable as error:
                    self._complain(error)
                finally:
                    await self._leave(cluster)
            if self._trouble is not None:
                deadline = time.monotonic() + pause
                while not self._closed and (left := deadline - time.monotonic()) > 0:
                    await self._rest(left)
                pause = min(2 * pause, _AGAIN[1])

    async def _connect(self) -> Cluster:
        if self._config.dask:
            return await Cluster.connect(self._config.dask, self._owner)
        return await Cluster.start(self.slots, self._config.state / "dask", self._owner)

    async def _serve(self, cluster: Cluster) -> None:
        """Go on until the executor is closed, or a cluster on this machine is not needed any more."""
        if self._trouble is not None:
            log.info("connected to Dask again")
        self._cluster, self._trouble = cluster, None
        for task in [*self._tasks.values()]:
            self._start(task)
        used = time.monotonic()
        while not self._closed:
            await self._look(cluster)
            if self._tasks:
                used = time.monotonic()
            elif not self._config.dask and time.monotonic() - used > IDLE:
                return
            await self._rest(LOOK)

    async def _leave(self, cluster: Cluster) -> None:
        """Everything that it ran is given up."""
        self._cluster = None
        reason = self._trouble.line if self._trouble is not None else "the Dask cluster has ended"
        lines = [*self._lines.values()]
        for line in lines:
            self._lose(line, reason)
        for task in [*self._tasks.values()]:
            if task.following is not None:
                self._fail(task, reason)
        for each in [*self._background]:
            each.cancel()
        if self._trouble is None and lines:
            await asyncio.wait([asyncio.ensure_future(line.leave()) for line in lines], timeout=LOOK)
        self._unfit.clear()
        self._met.clear()
        await cluster.close()

    async def _rest(self, seconds: float | None) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)
        self._wake.clear()

    def _complain(self, error: Unavailable) -> None:
        if self._trouble is None or self._trouble.message != error.message:
            log.warning("%s; %s", error.message, error.fix)
        self._trouble = error
        for task in [*self._tasks.values()]:
            if task.line is None:
                self._fail(task, error.line)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Future[None]:
        spawned = asyncio.ensure_future(work)
        self._background.add(spawned)
        spawned.add_done_callback(self._settle)
        return spawned

    def _settle(self, done: asyncio.Future[None]) -> None:
        self._background.discard(done)
        if not done.cancelled() and done.exception() is not None:
            log.error("unexpected", exc_info=done.exception())

    # workers

    async def _look(self, cluster: Cluster) -> None:
        """See which workers there are: how much can be run, and what has gone with one."""
        threads = await cluster.threads()
        for address in self._lines.keys() - threads.keys():
            self._lose(self._lines[address], f"the Dask worker {address} has died")
        self._met &= threads.keys()
        self._unfit = {address: each for address, each in self._unfit.items() if address in threads}
        due = time.monotonic() - RECHECK
        new = {a for a in threads if a not in self._met and self._unfit.get(a, (due, None))[0] <= due}
        if new:
            self._met |= new
            self._spawn(self._meet(cluster, new))
        used = sum(count for address, count in threads.items() if address in self._lines)
        self.slots = min(used or max(sum(threads.values()), 1), self._most or 1 << 30)
        if threads and threads.keys() == self._unfit.keys():
            self._complain(next(error for _, error in self._unfit.values()))
        elif self._lines:
            self._trouble = None
        for task in [*self._tasks.values()]:
            if task.line is None and task.meant_for and not task.meant_for & threads.keys():
                self._fail(task, "the Dask workers that could have run it have gone")

    async def _meet(self, cluster: Cluster, addresses: set[str]) -> None:
        """Begin a conversation with each of some workers."""
        try:
            request = await asyncio.to_thread(introduce, self._config.store)
        except StoreError as error:
            self._met -= addresses
            log.warning("%s; %s", error.message, error.fix)
            return
        for address in addresses:
            self._spawn(self._attend(Line(cluster, address, self._take), request))

    async def _attend(self, line: Line, request: Open) -> None:
        try:
            await line.open(request)
        except Unavailable as error:
            self._refuse(line.address, error)
            return
        self._unfit.pop(line.address, None)
        self._lines[line.address] = line
        self._wake.set()
        try:
            await line.attend()
        except Lost as error:
            self._lose(line, str(error))

    def _refuse(self, address: str, error: Unavailable) -> None:
        if address not in self._unfit:
            log.warning("the Dask worker %s cannot be used: %s; %s", address, error.message, error.fix)
        named = Unavailable(f"the Dask worker {address} cannot be used: {error.message}", fix=error.fix)
        self._unfit[address] = (time.monotonic(), named)
        self._met.discard(address)
        self._wake.set()

    def _lose(self, line: Line, reason: str) -> None:
        """A worker counts as dead; if it is not, it is told to end what it runs."""
        if self._lines.get(line.address) is line:
            del self._lines[line.address]
            self._met.discard(line.address)
        for task in [*self._tasks.values()]:
            if task.line is line:
                self._fail(task, reason)
        if self._cluster is not None:
            self._spawn(line.leave())

    # batches

    def _start(self, task: _Task) -> None:
        if self._cluster is None:
            self._wake.set()
        elif task.following is None and task.key in self._tasks:
            task.meant_for = frozenset(self._lines) if self._unfit else None
            task.following = self._spawn(self._follow(self._cluster, task))

    async def _follow(self, cluster: Cluster, task: _Task) -> None:
        """See a task to its end."""
        reason = await cluster.run(task.key, task.meant_for)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(task.is_over.wait(), GRACE)
        self._fail(task, reason or "the Dask worker has not said what became of it")

    def _take(self, line: Line, report: Report) -> None:
        """What a worker reports."""
        task = self._tasks.get(report.task)
        if isinstance(report, Told):
            if task is not None and task.line is line:
                self._pass_on(task, report.events)
            return
        if task is not None and task.line not in {None, line}:
            self._fail(task, "the Dask worker that ran it has died")
        if task is None or not task.open:
            line.tell(Nothing(report.task))
        elif task.line is None:
            task.line = line
            line.tell(Begin(task.key, task.rest))

    def _pass_on(self, task: _Task, events: tuple[Event, ...]) -> None:
        for event in events:
            if event.attempt in task.open:
                if isinstance(event, Finished):
                    self._close_attempt(task, event.attempt)
                self._events.put(event)

    def _cancel(self, attempt: str) -> None:
        task = next((each for each in self._tasks.values() if attempt in each.open), None)
        if task is None:
            return
        if task.line is not None:
            task.cancelled.add(attempt)
            task.line.tell(Stop(task.key, attempt))
            return
        self._finish(task, attempt, "cancelled", "cancelled")
        if not task.open and task.following is not None:
            task.following.cancel()

    def _fail(self, task: _Task, reason: str) -> None:
        """Finish what is open of a batch that no agent can finish, and see that nothing runs it."""
        if not task.open:
            return
        for attempt in sorted(task.open):
            if attempt in task.cancelled:
                self._finish(task, attempt, "cancelled", "cancelled")
            else:
                self._finish(task, attempt, "failed", reason)
        if task.line is not None:
            task.line.tell(Nothing(task.key))
        if task.following is not None:
            task.following.cancel()

    def _finish(self, task: _Task, attempt: str, state: State, reason: str) -> None:
        failure: FailureClass = "infrastructure" if state == "failed" else ""
        self._close_attempt(task, attempt)
        self._events.put(Logged(attempt, (LogLine(time=time.time(), text=reason, engine=True, end=state),)))
        self._events.put(Finished(attempt, Outcome(state=state, failure=failure, reason=reason)))

    def _close_attempt(self, task: _Task, attempt: str) -> None:
        task.open.discard(attempt)
        if not task.open:
            self._tasks.pop(task.key, None)
            task.is_over.set()
