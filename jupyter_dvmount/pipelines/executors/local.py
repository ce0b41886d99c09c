"""The default executor: agents on this machine, one a slot, kept warm."""

from __future__ import annotations

import logging
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from msgspec.structs import replace
from typing_extensions import Self

from jupyter_dvmount.config import Config
from jupyter_dvmount.mounting.checkout import discard
from jupyter_dvmount.pipelines.logs import LogLine
from jupyter_dvmount.pipelines.messages import Batch, Cancel, Event, Finished, Logged, Run
from jupyter_dvmount.pipelines.sandbox.plan import FailureClass, Outcome, State
from jupyter_dvmount.pipelines.sandbox.processes import end_marked
from jupyter_dvmount.pipelines.sandbox.wire import Receiver, send
from jupyter_dvmount.pipelines.secrets import SecretStore
from jupyter_dvmount.store import Unavailable

from .base import Full, drain

log = logging.getLogger("jupyter_dvmount.pipelines")

QUEUE = 2
"""Batches a slot that may wait or run: enough that no slot waits for the controller."""
_END_PATIENCE = 20.0  # seconds that agents get to end
_MODULE = "jupyter_dvmount.pipelines.agent"


class LocalExecutor:
    """An `Executor` of processes on this machine.

    Parameters
    ----------
    config, secrets, slots
        As for `open_executor`.
    hidden
        Directories that code must not see besides the state's own secrets, where the tier can hide them.
    """

    name = "local"

    def __init__(
        self,
        config: Config,
        secrets: SecretStore,
        slots: int | None = None,
        *,
        hidden: tuple[Path, ...] = (),
    ) -> None:
        self.slots = slots or len(os.sched_getaffinity(0))
        self.hidden = hidden
        self._secrets = secrets
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._waiting: deque[Run] = deque()
        self._closed = False
        _sweep(config.state / "scratch")
        self._agents = [_Agent(self, config, number) for number in range(self.slots)]
        for agent in self._agents:
            agent.start()

    @property
    def room(self) -> int:
        """How many batches can be submitted now."""
        with self._changed:
            busy = sum(agent.is_busy for agent in self._agents)
            return max(QUEUE * self.slots - len(self._waiting) - busy, 0)

    def submit(self, batch: Batch) -> None:
        """Queue a batch."""
        self.run(order_of(batch, self._secrets))

    def run(self, order: Run) -> None:
        """Queue a batch with the values of its secrets; raises as `submit` does."""
        if not self.room:
            raise Full("the executor's queue is full", fix="submit again when an attempt has finished")
        with self._changed:
            if self._closed:
                raise Unavailable("the executor has been closed", fix="open another one")
            self._waiting.append(order)
            self._changed.notify()

    def cancel(self, attempt: str) -> None:
        """End an attempt, or do not begin it."""
        with self._changed:  # an attempt is in the queue or with an agent, and `take` moves it at once
            held = [order for order in self._waiting if attempt in _ids(order.batch)]
            for order in held:
                self._waiting.remove(order)
                rest = tuple(each for each in order.batch.attempts if each.id != attempt)
                if rest:
                    self._waiting.append(Run(replace(order.batch, attempts=rest), order.secrets))
        if held:
            self.finish(attempt, "cancelled", "cancelled")
        for agent in self._agents:
            agent.cancel(attempt)

    def events(self, timeout: float | None = None) -> list[Event]:
        """What has happened since the last call."""
        return drain(self._events, timeout)

    def close(self) -> None:
        """End everything, at once."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        for agent in self._agents:
            agent.end()
        for agent in self._agents:
            agent.join(_END_PATIENCE)

    def take(self, taken: set[str]) -> Run | None:
        """The next batch, once there is one, its attempts added to ``taken``; None after `close`."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting)
            if self._closed:
                return None
            order = self._waiting.popleft()
            taken |= _ids(order.batch)
            return order

    def tell(self, event: Event) -> None:
        """Pass an agent's event on."""
        self._events.put(event)

    def finish(self, attempt: str, state: State, reason: str) -> None:
        """Finish an attempt that its agent cannot finish."""
        self.tell(Logged(attempt, (LogLine(time=time.time(), text=reason, engine=True, end=state),)))
        failure: FailureClass = "infrastructure" if state == "failed" else ""
        self.tell(Finished(attempt, Outcome(state=state, failure=failure, reason=reason)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


class _Agent(threading.Thread):
    """One agent process, started when it is needed and again when it has died, and what it runs."""

    def __init__(self, executor: LocalExecutor, config: Config, number: int) -> None:
        super().__init__(name=f"dvmount-agent-{number}", daemon=True)
        self._executor = executor
        self._config = config
        self._scratch = config.state / "scratch" / f"{os.getpid()}-{number}-{os.urandom(4).hex()}"
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._open: set[str] = set()
        self._cancelled: set[str] = set()

    @property
    def is_busy(self) -> bool:
        """Whether it runs a batch."""
        return bool(self._open)

    def run(self) -> None:
        """Run batches until the executor is closed."""
        while (order := self._executor.take(self._open)) is not None:
            self._run_batch(order)
        self._discard()

    def cancel(self, attempt: str) -> None:
        """Pass it on, if it is one of this agent's."""
        with self._lock, suppress(OSError):
            if attempt in self._open and self._connection is None:
                self._cancelled.add(attempt)  # passed on when the process is there
            elif attempt in self._open and self._connection is not None:
                send(self._connection, Cancel(attempt))

    def end(self) -> None:
        """Have the process end, from any thread."""
        with self._lock, suppress(OSError):
            if self._connection is not None:
                self._connection.shutdown(socket.SHUT_RDWR)

    def _run_batch(self, order: Run) -> None:
        try:
            self._serve(order)
        except OSError as error:
            self._lost(f"the agent could not be reached: {error.strerror or error}")

    def _serve(self, order: Run) -> None:
        connection = self._connect()
        receiver: Receiver[Event] = Receiver(connection, Event)
        with self._lock:
            for attempt in self._cancelled:
                send(connection, Cancel(attempt))
            self._cancelled.clear()
            send(connection, order)
        while self._open:
            received = receiver.receive()
            if received is None:
                self._lost("the agent has died")
                return
            event = received[0]
            if isinstance(event, Finished):
                self._open.discard(event.attempt)
            self._executor.tell(event)

    def _lost(self, reason: str) -> None:
        """Nothing of what it ran is left, and everything of that has failed."""
        self._discard()
        for attempt in sorted(self._open):
            end_marked(attempt)
            self._executor.finish(attempt, "failed", reason)
        self._open.clear()
        self._cancelled.clear()
        _remove(self._scratch)

    def _connect(self) -> socket.socket:
        if self._connection is not None:
            return self._connection
        ours, theirs = socket.socketpair()
        self._scratch.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        with theirs:
            arguments = [sys.executable, "-m", _MODULE, "--connection", str(theirs.fileno())]
            arguments += ["--store", self._config.store, "--scratch", str(self._scratch)]
            for directory in self._executor.hidden:
                arguments += ["--hide", str(directory)]
            environment = {**os.environ, "DVMOUNT_STATE": str(self._config.state)}
            self._process = subprocess.Popen(
                arguments,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        with self._lock:
            self._connection = ours
        return ours

    def _discard(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if self._process is not None:
            try:
                self._process.wait(_END_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def order_of(batch: Batch, secrets: SecretStore) -> Run:
    """A batch with the values of its secrets; `NotFound` if one does not exist."""
    names = {use.name for use in batch.plan.secrets}
    return Run(batch, {name: secrets.values(name) for name in sorted(names)})


def _ids(batch: Batch) -> set[str]:
    return {attempt.id for attempt in batch.attempts}


def _sweep(scratch: Path) -> None:
    """Remove what executors that were killed have left behind."""
    for place in (*scratch.glob("*-*-*"), *Path("/dev/shm").glob("dvmount-*-*-*")):  # noqa: S108
        pid = place.name.removeprefix("dvmount-").partition("-")[0]
        if not Path(f"/proc/{pid}").exists():
            _remove(place)


def _remove(directory: Path) -> None:
    try:
        discard(directory)
    except OSError as error:
        log.warning("cannot remove %s: %s", error.filename, error.strerror)
