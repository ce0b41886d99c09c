"""Runs attempts of datums: data in, code in a sandbox, output into the store. A process of its own.

``python -m jupyter_dvmount.pipelines.agent --connection FD --store URL --scratch DIR``; started by an
executor, which it obeys (`messages.Order`) and tells what happens (`messages.Event`). When the executor goes,
so does the agent, and everything that it has started.
"""

from __future__ import annotations

import argparse
import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from select import select
from typing import NoReturn, Protocol

from msgspec.structs import replace

from jupyter_dvmount.config import Config, load_config
from jupyter_dvmount.mounting.checkout import discard
from jupyter_dvmount.store import Invalid, StoreError, VersionStore, open_store
from jupyter_dvmount.tracking import tracker

from . import messages, surroundings
from .inputs import Inputs
from .logs import LogLine, Recorder
from .messages import Attempt, Event, Finished, Logged, Order, Output, Run, Started
from .notebooks import with_command
from .outputs import Written, is_empty, store_outputs
from .runs.files import RunFiles
from .sandbox.plan import RUNS, Bind, Outcome, Place, Plan, Sandbox
from .sandbox.run import run_plan
from .sandbox.supervise import Cancel, Supervisor
from .sandbox.tiers import Tiers
from .sandbox.wire import Receiver, send

log = logging.getLogger("jupyter_dvmount.pipelines")

Emit = Callable[[Event], None]
Finish = Callable[[str, Outcome, "Output | None"], None]

KEEP_UP = 5.0
"""Seconds between two signs of life to the FUSE daemon."""
FLUSH_SECONDS = 1.0
FLUSH_ATTEMPTS = 64
"""Outputs are stored together, but none waits longer than this or with more others."""
_END_PATIENCE = 10.0  # seconds that the worker gets to notice the end


class Taker(Protocol):
    """Takes the outputs of attempts, and finishes each of them."""

    @property
    def due(self) -> bool:
        """Whether it is time to `flush`."""

    def add(self, written: Written, outcome: Outcome, root: Path) -> None:
        """Take the output of an attempt; ``root`` is to be removed once it is stored."""

    def flush(self) -> None:
        """Finish the attempts that are not finished yet."""


class Agent:
    """Runs batches, one after the other.

    Parameters
    ----------
    config
        Settings: the state directory, with the FUSE daemon and the secrets.
    store
        Where data comes from and output goes.
    scratch
        Directory of its own; private.
    emit
        Takes the events.
    hidden
        Directories that code must not see besides the state's own secrets, where the tier can hide them.
    taker
        Makes what takes the outputs of a batch; by default they are stored.
    """

    def __init__(
        self,
        config: Config,
        store: VersionStore,
        scratch: Path,
        emit: Emit,
        hidden: tuple[Path, ...] = (),
        *,
        taker: Callable[[VersionStore, str, Finish], Taker] | None = None,
    ) -> None:
        self._store = store
        self._taker = taker or _Waiting
        self._scratch = scratch
        self._emit = emit
        self._inputs = Inputs(config, store)
        self._runs = RunFiles(config.state / "runs")
        self._tiers = Tiers(hidden=(config.state / "secrets", *hidden))
        self._supervisor = Supervisor()
        self._lock = threading.Lock()
        self._cancelled: set[str] = set()
        self._running: tuple[str, Cancel] | None = None

    def run(self, order: Run) -> None:
        """Run a batch; every attempt gets its `Finished`."""
        waiting = self._taker(self._store, order.batch.output_repo, self._finish)
        for attempt in order.batch.attempts:
            self._attempt(order, attempt, waiting)
            if waiting.due:
                waiting.flush()
        waiting.flush()

    def cancel(self, attempt: str) -> None:
        """End an attempt, or do not begin it; from any thread."""
        with self._lock:
            self._cancelled.add(attempt)
            if self._running is not None and self._running[0] == attempt:
                self._running[1].set()

    def keep_up(self) -> None:
        """To be called every `KEEP_UP` seconds; from any thread."""
        self._inputs.keep_up()

    def abandon(self) -> None:
        """End everything at once; from any thread."""
        self._supervisor.abandon()

    def close(self) -> None:
        """Leave nothing behind."""
        self._supervisor.close()
        _clear(self._scratch)
        _clear(_memory(self._scratch))

    def _attempt(self, order: Run, attempt: Attempt, waiting: Taker) -> None:
        root = self._scratch / attempt.id
        try:
            written, outcome = self._try(order, attempt, root)
        except StoreError as error:
            written, outcome = None, _failed(error)
        except OSError as error:
            reason = f"{error.filename or self._scratch}: {error.strerror}"
            written, outcome = None, Outcome(state="failed", failure="infrastructure", reason=reason)
        finally:
            with self._lock:
                self._cancelled.discard(attempt.id)
            if attempt.runs is not None:
                self._runs.settle(attempt.runs.key, tracker(attempt.runs.provider), _values(order))
            _clear(_memory(self._scratch) / attempt.id)
        if written is not None and not is_empty(written.out):
            waiting.add(written, outcome, root)
        else:
            _clear(root)
            self._finish(attempt.id, outcome, None)

    def _try(self, order: Run, attempt: Attempt, root: Path) -> tuple[Written | None, Outcome]:
        batch, plan = order.batch, order.batch.plan
        cancel = Cancel()
        try:
            if not self._begin(attempt.id, cancel):
                return None, Outcome(state="cancelled", reason="cancelled")
            sandbox = self._tiers.choose(plan, image_required=batch.image_required)
            plan = with_command(plan, sandbox.tier, self._store)
            self._emit(Started(attempt.id, sandbox.tier, tuple(self._warnings(sandbox, plan))))
            place = self._place(order, attempt, sandbox, root)
            recorder = Recorder(_values(order))
            outcome = run_plan(
                plan,
                place,
                sandbox=sandbox,
                supervisor=self._supervisor,
                cgroups=self._tiers.cgroups,
                sink=lambda data: self._tell(attempt.id, recorder.feed(data)),
                cancel=cancel,
            )
            self._tell(attempt.id, recorder.finish())
        finally:
            with self._lock:
                self._running = None
            cancel.close()
        out = place.out if outcome.state == "success" else _kept(plan, place, outcome)
        if out is None:
            return None, outcome
        moved = sandbox.pfs(place)
        return Written(attempt=attempt.id, datum=attempt.datum, out=out, moved=moved), outcome

    def _begin(self, attempt: str, cancel: Cancel) -> bool:
        with self._lock:
            self._running = (attempt, cancel)
            return attempt not in self._cancelled

    def _place(self, order: Run, attempt: Attempt, sandbox: Sandbox, root: Path) -> Place:
        plan = order.batch.plan
        inputs = root / "in"
        inputs.mkdir(parents=True)
        out = root / "out"
        out.mkdir()
        kept = attempt.runs and self._runs.open(attempt.runs.key)
        return Place(
            root=root,
            inputs=self._inputs.provide(attempt.datum, inputs, mount=sandbox.reads_private(plan)),
            secrets=surroundings.secret_files(plan, order.secrets, _memory(self._scratch) / attempt.id),
            out=out,
            kept=(Bind(kept, RUNS),) if kept else (),
            env=surroundings.variables(order.batch, attempt, sandbox.tier),
            secret_env=surroundings.secret_variables(plan, order.secrets),
        )

    def _warnings(self, sandbox: Sandbox, plan: Plan) -> list[str]:
        found = sandbox.warnings(plan)
        if sandbox.tier == "image":
            return found
        bounded = self._tiers.cgroups.bounded if plan.memory or plan.cpu else frozenset()
        if plan.memory is not None and "memory" not in bounded:
            found.append("no control groups here: the memory limit is the address space of each process")
        if plan.cpu is not None and "cpu" not in bounded:
            found.append("no control groups here: the limit of processor time is not enforced")
        return found

    def _tell(self, attempt: str, lines: list[LogLine]) -> None:
        if lines:
            self._emit(Logged(attempt, tuple(lines)))

    def _finish(self, attempt: str, outcome: Outcome, output: Output | None) -> None:
        end = LogLine(time=time.time(), text=outcome.reason, engine=True, end=outcome.state)
        self._emit(Logged(attempt, (end,)))
        self._emit(Finished(attempt, outcome, output))


class _Waiting:
    """Outputs that are stored together: one commit costs as much for many as for one."""

    def __init__(self, store: VersionStore, repo: str, finish: Finish) -> None:
        self._store = store
        self._repo = repo
        self._finish = finish
        self._held: list[tuple[Written, Outcome, Path]] = []
        self._since = 0.0

    @property
    def due(self) -> bool:
        """Whether it is time to store them."""
        late = time.monotonic() - self._since > FLUSH_SECONDS
        return bool(self._held) and (late or len(self._held) >= FLUSH_ATTEMPTS)

    def add(self, written: Written, outcome: Outcome, root: Path) -> None:
        """Hold the output of an attempt; ``root`` is removed when it is stored."""
        if not self._held:
            self._since = time.monotonic()
        self._held.append((written, outcome, root))

    def flush(self) -> None:
        """Store what is held, and finish its attempts."""
        held, self._held = self._held, []
        if not held:
            return
        try:
            results = store_outputs(self._store, self._repo, [written for written, _, _ in held])
        except StoreError as error:
            results = {written.attempt: error for written, _, _ in held}
        for written, outcome, root in held:
            _clear(root)
            result = results[written.attempt]
            if isinstance(result, Output):
                self._finish(written.attempt, outcome, result)
            elif outcome.state == "success":
                self._finish(written.attempt, _failed(result, outcome), None)
            else:
                log.warning("attempt %s: %s", written.attempt, result.message)
                self._finish(written.attempt, outcome, None)


def _failed(error: StoreError, outcome: Outcome | None = None) -> Outcome:
    """A failure that the code is to blame for exactly if it has written what can never be stored."""
    failure = "user" if isinstance(error, Invalid) and outcome is not None else "infrastructure"
    outcome = outcome or Outcome(state="failed")
    return replace(outcome, state="failed", failure=failure, reason=error.line)


def _kept(plan: Plan, place: Place, outcome: Outcome) -> Path | None:
    """A directory with what of ``/pfs/out`` is stored although the attempt has failed; None for nothing."""
    found = place.out / plan.keep
    if outcome.state == "cancelled" or not plan.keep or not found.exists():
        return None
    kept = place.root / "kept"
    kept.mkdir()
    found.rename(kept / plan.keep)
    return kept


def _values(order: Run) -> list[bytes]:
    """The values of the secrets of a batch."""
    return [value for values in order.secrets.values() for value in values.values()]


def _memory(scratch: Path) -> Path:
    """Where files of secrets are: in memory, if there is a place for that."""
    shared = Path("/dev/shm")  # noqa: S108 - the directory below is private
    return shared / f"dvmount-{scratch.name}" if os.access(shared, os.W_OK) else scratch / ".secrets"


def _clear(directory: Path) -> None:
    try:
        discard(directory)
    except OSError as error:
        log.warning("cannot remove %s: %s", error.filename, error.strerror)


class _Process:
    """The agent's side of its connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._orders: queue.SimpleQueue[Run | None] = queue.SimpleQueue()

    def emit(self, event: Event) -> None:
        """Tell the executor."""
        with self._lock:
            send(self._connection, event)

    def serve(self, agent: Agent) -> None:
        """Obey until the executor goes."""
        worker = threading.Thread(target=self._work, args=(agent,), daemon=True)
        worker.start()
        receiver: Receiver[Order] = Receiver(self._connection, Order)
        try:
            while worker.is_alive():
                ready, _, _ = select([self._connection], [], [], KEEP_UP)
                if not ready:
                    self._keep_up(agent)
                    continue
                received = receiver.receive()
                if received is None:
                    return
                order = received[0]
                if isinstance(order, messages.Cancel):
                    agent.cancel(order.attempt)
                else:
                    self._orders.put(order)
        finally:
            self._orders.put(None)
            agent.abandon()
            worker.join(_END_PATIENCE)

    def _work(self, agent: Agent) -> None:
        with suppress(OSError):  # nobody listens any more
            while (order := self._orders.get()) is not None:
                agent.run(order)

    def _keep_up(self, agent: Agent) -> None:
        try:
            agent.keep_up()
        except StoreError as error:
            log.warning("%s", error.message)


def _end(_number: int, _frame: object) -> NoReturn:
    sys.exit(0)


def main(arguments: list[str] | None = None) -> None:
    """Serve an executor."""
    parser = argparse.ArgumentParser(prog="python -m jupyter_dvmount.pipelines.agent", description=__doc__)
    parser.add_argument("--connection", type=int, required=True, help="descriptor of a stream socket")
    parser.add_argument("--store", required=True, help="URL of the store")
    parser.add_argument("--scratch", type=Path, required=True, help="directory of its own")
    parser.add_argument("--hide", type=Path, action="append", default=[], help="directory to hide from code")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    connection = socket.socket(fileno=options.connection)
    connection.set_inheritable(False)
    options.scratch.mkdir(mode=0o711, parents=True, exist_ok=True)
    process = _Process(connection)
    with connection, open_store(options.store, create=False) as store:
        config = load_config(store=options.store)
        agent = Agent(config, store, options.scratch, process.emit, tuple(options.hide))
        try:
            process.serve(agent)
        finally:
            agent.close()


if __name__ == "__main__":
    main()
