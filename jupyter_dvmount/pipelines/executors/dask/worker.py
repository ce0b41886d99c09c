"""On a Dask worker: sessions of executors, whose tasks run batches with agents of that machine.

A task itself holds two names. What it has to run comes in a sealed letter when it has said where it is; so
nothing is run twice because Dask has moved a task, and no scheduler keeps, shows or logs what is run.

A session that has not heard of its executor for `LEASE` seconds ends all that it runs; only then does the
executor give it up.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
from distributed import Worker, get_worker
from distributed.core import Status
from nacl.public import PrivateKey, SealedBox

from jupyter_dvmount.config import Config, load_config
from jupyter_dvmount.pipelines.executors.local import LocalExecutor
from jupyter_dvmount.pipelines.messages import Event, Finished
from jupyter_dvmount.pipelines.secrets import SecretStore
from jupyter_dvmount.store import NoStore, NotFound, StoreError, Unavailable, open_store

from .messages import (
    OPERATION,
    Begin,
    Greeting,
    Here,
    Letter,
    Listen,
    Nothing,
    Open,
    Report,
    Reports,
    Request,
    Stop,
    Tell,
    Told,
    versions,
)

log = logging.getLogger("jupyter_dvmount.pipelines")

LEASE = 20.0
"""Seconds without a word of the executor after which a session ends itself."""
LINGER = 60.0
"""Seconds that an agent stays warm without a task."""
BEHIND = 256
"""Reports that wait for the executor before tasks wait, too."""
_GATHER, _STEP = 0.1, 0.02  # seconds in which events are gathered: a message costs some milliseconds
_LOOK = 1.0
_PATIENCE = 60.0  # seconds in which a task's session has to be there and its store be opened
_ALIVE = {Status.running, Status.paused, Status.closing_gracefully}


class Session:
    """One executor on one worker.

    Parameters
    ----------
    worker
        Where it is; sessions live in its event loop, tasks in its threads.
    owner
        Who may only have one executor at a time.
    """

    def __init__(self, worker: Worker, owner: str) -> None:
        self.owner = owner
        self.key = PrivateKey.generate()
        self.is_open = False
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        self._directory = Path(worker.local_directory) / "dvmount"
        self._store = ""
        self._heard = time.monotonic()
        self._is_over = False
        self._changed = threading.Condition()
        self._outbox: list[Report] = []
        self._first = 0  # number of the first report in it
        self._news = asyncio.Event()
        self._read = 0  # letters
        self._boxes: dict[str, queue.SimpleQueue[Letter]] = {}
        self._idle: list[tuple[float, LocalExecutor]] = []
        self._watch = asyncio.ensure_future(self._watching())

    @property
    def is_over(self) -> bool:
        """Whether nothing may run any more."""
        return self._is_over or self._worker.status not in _ALIVE

    @property
    def _is_forgotten(self) -> bool:
        limit = LEASE if self.is_open else _PATIENCE  # opening a store may take its time
        return time.monotonic() - self._heard > limit

    # requests, in the event loop

    async def answer(self, data: bytes) -> bytes:
        """Do what is asked; empty when the session is over."""
        if self._is_forgotten:  # this process was stopped, and is believed to be dead
            self.close()
        if self.is_over:
            return b""
        self._heard = time.monotonic()
        request = msgspec.msgpack.decode(SealedBox(self.key).decrypt(data), type=Request)
        if isinstance(request, Open):
            problem = await asyncio.to_thread(_problem, request)
            self._store, self.is_open, self._heard = request.store, not problem, time.monotonic()
            return msgspec.msgpack.encode(problem)
        if isinstance(request, Listen):
            return msgspec.msgpack.encode(await self._listen(request))
        if isinstance(request, Tell):
            self._tell(request)
        else:
            self.close()
        return msgspec.msgpack.encode("")

    async def _listen(self, request: Listen) -> Reports:
        with self._changed:
            del self._outbox[: max(request.ack - self._first, 0)]
            self._first = max(request.ack, self._first)
            self._changed.notify_all()
            self._news.clear()
            is_quiet = not self._outbox
        if is_quiet:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), request.hold)
        with self._changed:
            return Reports(self._first, tuple(self._outbox))

    def _tell(self, request: Tell) -> None:
        fresh = request.letters[max(self._read - request.first, 0) :]
        self._read = max(self._read, request.first + len(request.letters))
        for letter in fresh:
            with suppress(KeyError):  # the task is over
                self._boxes[letter.task].put(letter)

    async def _watching(self) -> None:
        while not self.is_over:
            await asyncio.sleep(_LOOK)
            if self._is_forgotten:
                log.warning("nothing heard of the executor for %g s: ending what it runs", LEASE)
                break
            self._end_idle(before=time.monotonic() - LINGER)
        self.close()

    def close(self) -> None:
        """End all that it runs, at once, and without waiting for it."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._news.set()
        self._watch.cancel()
        self._end_idle(before=time.monotonic())

    def _end_idle(self, *, before: float) -> None:
        with self._changed:
            old = [executor for since, executor in self._idle if since <= before]
            self._idle = [each for each in self._idle if each[0] > before]
        for executor in old:
            threading.Thread(target=executor.close, daemon=True).start()

    # tasks, in threads

    def run(self, task: str) -> None:
        """Get a task's order, and run it to its end."""
        box: queue.SimpleQueue[Letter] = queue.SimpleQueue()
        self._boxes[task] = box
        try:
            self._report(Here(task))
            letter = self._first_letter(box)
            if isinstance(letter, Begin):
                self._run(letter, box)
        finally:
            del self._boxes[task]

    def _first_letter(self, box: queue.SimpleQueue[Letter]) -> Letter | None:
        while not self.is_over:
            with suppress(queue.Empty):
                return box.get(timeout=_LOOK)
        return None

    def _run(self, begin: Begin, box: queue.SimpleQueue[Letter]) -> None:
        waiting = {attempt.id for attempt in begin.order.batch.attempts}
        executor = self._take()
        try:
            executor.run(begin.order)
            while waiting and not self.is_over:
                if not self._obey(executor, box):
                    return
                events = _gather(executor, waiting)
                if events:
                    self._report(Told(begin.task, tuple(events)))
        finally:
            self._give_back(executor, is_clean=not waiting)

    @staticmethod
    def _obey(executor: LocalExecutor, box: queue.SimpleQueue[Letter]) -> bool:
        """Do what the letters say; whether to go on."""
        while not box.empty():
            letter = box.get()
            if isinstance(letter, Nothing):
                return False
            if isinstance(letter, Stop):
                executor.cancel(letter.attempt)
        return True

    def _report(self, report: Report) -> None:
        """Have the executor get it; waits while that is behind."""
        with self._changed:
            while len(self._outbox) >= BEHIND and not self.is_over:
                self._changed.wait(_LOOK)
            self._outbox.append(report)
        with suppress(RuntimeError):  # the loop is closed: the worker ends
            self._loop.call_soon_threadsafe(self._news.set)

    def _take(self) -> LocalExecutor:
        with self._changed:
            if self._idle:
                return self._idle.pop()[1]
        self._directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        config = Config(store=self._store, state=self._directory, root=self._directory / "root")
        hidden = (load_config().state / "secrets",)
        return LocalExecutor(config, SecretStore(self._directory / "secrets"), 1, hidden=hidden)

    def _give_back(self, executor: LocalExecutor, *, is_clean: bool) -> None:
        with self._changed:
            is_kept = is_clean and not self.is_over
            if is_kept:
                self._idle.append((time.monotonic(), executor))
        if not is_kept:
            executor.close()


def _gather(executor: LocalExecutor, waiting: set[str]) -> list[Event]:
    """Events of some time, or of the end; those that have finished are not waited for any more."""
    found = executor.events(_GATHER)
    deadline = time.monotonic() + _GATHER
    fresh = found
    while found:
        waiting -= {event.attempt for event in fresh if isinstance(event, Finished)}
        if not waiting or time.monotonic() > deadline:
            break
        time.sleep(_STEP)
        fresh = executor.events(0)
        found += fresh
    return found


_sessions: dict[tuple[str, str], Session] = {}
"""By the worker's address and the session's name."""


async def greet(session: str, owner: str, dask_worker: Worker) -> bytes:
    """Begin a session; the owner's others end."""
    for key, other in [*_sessions.items()]:
        if key[0] == dask_worker.address and (other.owner == owner or other.is_over):
            other.close()
            del _sessions[key]
    begun = Session(dask_worker, owner)
    _sessions[dask_worker.address, session] = begun
    dask_worker.handlers[OPERATION] = _receiver(dask_worker.address)
    return msgspec.msgpack.encode(Greeting(bytes(begun.key.public_key), versions()))


def work(session: str, task: str) -> None:
    """Run a batch: the function of a task.

    Raises
    ------
    Unavailable
        If the executor does not speak to this worker.
    """
    address = get_worker().address
    deadline = time.monotonic() + _PATIENCE
    while (found := _sessions.get((address, session))) is None or not found.is_open:
        if time.monotonic() > deadline or (found is not None and found.is_over):
            raise Unavailable("the worker has not heard of the controller", fix="see whether one is running")
        time.sleep(_STEP)
    found.run(task)


def _receiver(address: str) -> Callable[..., object]:
    async def receive(session: str, data: bytes) -> bytes:
        found = _sessions.get((address, session))
        return await found.answer(data) if found is not None else b""

    return receive


def _problem(request: Open) -> str:
    """Why the store cannot be used from here; empty if it can."""
    try:
        with open_store(request.store, create=False) as store:
            if store.id != request.id:
                return "another store is there"
            if request.witness is not None:
                store.inspect_commit(request.witness.repo, request.witness.id)
    except NoStore as error:
        return error.message
    except NotFound as error:
        return f"it has another catalog there: {error.message}"
    except StoreError as error:
        return error.line
    return ""
