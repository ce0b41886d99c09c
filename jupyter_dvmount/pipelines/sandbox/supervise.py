"""Runs a launch through the keeper: its output, its time, and its end when somebody asks for it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from select import select
from types import TracebackType
from typing import Literal

import msgspec
from typing_extensions import Self

from jupyter_dvmount.store import Unavailable

from .disk import Disk
from .keeper import Ended, Interrupt, Kill, Refused, Start
from .plan import Launch
from .processes import MARKER, end_marked
from .wire import Receiver, send

Sink = Callable[[bytes], None]
Why = Literal["", "cancelled", "timeout", "disk"]

_BLOCK = 1 << 16
_END_PATIENCE = 30.0  # seconds that the keeper may take to end everything
_MODULE = "jupyter_dvmount.pipelines.sandbox.keeper"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """How a process ended: ``refused`` says why it was not started, ``why`` who ended it if not itself."""

    exit_code: int = 0
    refused: str = ""
    why: Why = ""
    cpu_seconds: float = 0.0
    memory: int = 0


class Cancel:
    """Asks for the end of what runs; from any thread, before or while it runs."""

    def __init__(self) -> None:
        self.woken, self._waker = os.pipe()
        self._lock = threading.Lock()
        self._set = False

    @property
    def is_set(self) -> bool:
        """Whether the end has been asked for."""
        return self._set

    def set(self) -> None:
        """Ask for it."""
        with self._lock:
            if not self._set and self._waker >= 0:
                self._set = True
                os.write(self._waker, b"\0")

    def close(self) -> None:
        """Nobody asks or is asked any more."""
        with self._lock:
            os.close(self.woken)
            os.close(self._waker)
            self._waker = -1


class Supervisor:
    """Has a keeper and runs one launch after the other. For one thread; `close` ends everything."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._abandoned = False

    def run(
        self, launch: Launch, sink: Sink, cancel: Cancel, *, disk: Disk, timeout: float | None, grace: float
    ) -> Run:
        """Run a process to its end and everything that it has started with it.

        Parameters
        ----------
        launch
            What to start.
        sink
            Gets what is printed, as it comes; must not block for long.
        cancel
            Asks for its end.
        disk
            What it writes; it is ended when that is too much.
        timeout
            Seconds after which it is ended; None for no bound.
        grace
            Seconds between SIGINT and SIGKILL.

        Raises
        ------
        Unavailable
            If the keeper cannot be started or has been killed; nothing is left running.
        """
        if self._abandoned:
            raise Unavailable("the agent is ending")
        connection = self._connect()
        receiver: Receiver[Ended | Refused] = Receiver(connection, Ended | Refused)
        output, printing = os.pipe()
        stdin = _memory_file(launch.stdin)
        try:
            send(connection, Start(msgspec.structs.replace(launch, stdin=b"")), (stdin, printing))
        except OSError as error:
            raise self._lost(launch) from error
        finally:
            os.close(stdin)
            os.close(printing)
        try:
            return _Watch(
                connection,
                receiver=receiver,
                output=output,
                sink=sink,
                cancel=cancel,
                disk=disk,
                timeout=timeout,
                grace=grace,
            ).run()
        except ConnectionError as error:
            raise self._lost(launch) from error
        finally:
            os.close(output)

    def abandon(self) -> None:
        """End what runs at once and let nothing run any more, from any thread; `run` raises then."""
        self._abandoned = True
        connection = self._connection
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the keeper and what it keeps."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            try:
                self._process.wait(_END_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._connection = self._process = None

    def _lost(self, launch: Launch) -> Unavailable:
        self.close()
        if launch.env.get(MARKER):
            end_marked(launch.env[MARKER])
        return Unavailable("the process that keeps the sandbox was killed", fix="try again: it is replaced")

    def _connect(self) -> socket.socket:
        if self._connection is not None and self._process is not None and self._process.poll() is None:
            return self._connection
        self.close()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", _MODULE, str(theirs.fileno())],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise Unavailable(
                    f"cannot start a process: {error.strerror}", fix="see to memory and process limits"
                ) from error
        self._connection = ours
        return ours

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


class _Watch:
    """One process from start to end."""

    def __init__(
        self,
        connection: socket.socket,
        *,
        receiver: Receiver[Ended | Refused],
        output: int,
        sink: Sink,
        cancel: Cancel,
        disk: Disk,
        timeout: float | None,
        grace: float,
    ) -> None:
        self._connection = connection
        self._receiver = receiver
        self._output = output
        self._sink = sink
        self._cancel = cancel
        self._disk = disk
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._grace = grace
        self._why: Why = ""
        self._open = True

    def run(self) -> Run:
        os.set_blocking(self._output, False)
        while True:
            sources: list[socket.socket | int] = [self._connection]
            if self._open:
                sources.append(self._output)
            if not self._why:
                sources.append(self._cancel.woken)
            ready, _, _ = select(sources, [], [], self._rest())
            if self._output in ready:
                self._read()
            if self._connection in ready:
                return self._ended()
            if self._cancel.woken in ready:
                self._interrupt("cancelled", self._grace)
            elif self._deadline is not None and time.monotonic() >= self._deadline:
                self._overdue()
            elif not self._why and self._disk.pause == 0 and self._disk.is_exceeded():
                self._interrupt("disk", 0.0)

    def _rest(self) -> float | None:
        """Seconds until something has to be done."""
        left = None if self._deadline is None else max(self._deadline - time.monotonic(), 0)
        times = [left, None if self._why else self._disk.pause]
        return min((each for each in times if each is not None), default=None)

    def _overdue(self) -> None:
        if not self._why:
            self._interrupt("timeout", self._grace)
        else:
            send(self._connection, Kill())
            self._deadline = None

    def _interrupt(self, why: Why, grace: float) -> None:
        self._why = why
        send(self._connection, Interrupt())
        self._deadline = time.monotonic() + grace

    def _read(self) -> None:
        with suppress(BlockingIOError):
            data = os.read(self._output, _BLOCK)
            self._open = bool(data)
            if data:
                self._sink(data)

    def _ended(self) -> Run:
        received = self._receiver.receive()
        if received is None:
            raise ConnectionError
        message, _ = received
        self._drain()
        if isinstance(message, Refused):
            return Run(exit_code=127, refused=message.reason)
        return Run(
            exit_code=message.exit_code,
            why=self._why,
            cpu_seconds=message.cpu_seconds,
            memory=message.memory,
        )

    def _drain(self) -> None:
        """What was printed last; nobody is left who could print more."""
        with suppress(BlockingIOError):
            while data := os.read(self._output, _BLOCK):
                self._sink(data)


def _memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("stdin")
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
