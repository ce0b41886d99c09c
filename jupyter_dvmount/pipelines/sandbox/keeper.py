"""The small process that starts a pipeline's code, and whose end nothing of it outlives.

``python -m jupyter_dvmount.pipelines.sandbox.keeper FD``. All descendants of the code come back to it when
their parents end, because it is a subreaper (prctl(2)): so daemons cannot get away. It ends them when the
code has ended, when it is told to, and when the other end of its socket is closed.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from select import select
from typing import NoReturn

import msgspec

from .plan import Launch
from .processes import children, end_below, interrupt_below
from .wire import Receiver, send

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38  # linux/prctl.h
_HELPER_PATIENCE = 20.0  # seconds that a command of podman or docker may take
_prctl = ctypes.CDLL(None, use_errno=True).prctl


class Start(msgspec.Struct, frozen=True, tag=True):
    """Start a process; its standard input and its output come as descriptors."""

    launch: Launch


class Interrupt(msgspec.Struct, frozen=True, tag=True):
    """SIGINT to the group of the code."""


class Kill(msgspec.Struct, frozen=True, tag=True):
    """End everything at once."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The process could not be started."""

    error: int
    reason: str


class Ended(msgspec.Struct, frozen=True, tag=True):
    """The process and everything below it has ended; ``exit_code`` is 128 + N after signal N."""

    exit_code: int
    cpu_seconds: float = 0.0
    memory: int = 0


class Keeper:
    """Serves one connection until it is closed."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._receiver: Receiver[Start | Interrupt | Kill] = Receiver(connection, Start | Interrupt | Kill)
        self._launch: Launch | None = None
        self._main = 0
        self._before = (0.0, 0.0)
        self._woken, waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(waker, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Do as told; at the end nothing is left."""
        try:
            while True:
                sources: list[socket.socket | int] = [self._connection, self._woken]
                ready, _, _ = select(sources, [], [])
                if self._woken in ready:
                    self._reap()
                if self._connection in ready and not self._obey():
                    return
        finally:
            self._end_all()

    def _obey(self) -> bool:
        received = self._receiver.receive()
        if received is None:
            return False
        message, descriptors = received
        if isinstance(message, Start):
            self._start(message.launch, *descriptors)
        elif isinstance(message, Interrupt):
            self._interrupt()
        else:
            self._end_all()
        return True

    def _start(self, launch: Launch, stdin: int, output: int) -> None:
        failed, failing = os.pipe()
        self._launch = launch
        pid = os.fork()
        if pid == 0:
            _become(launch, stdin, output, failing)
        self._main = pid
        for descriptor in (failing, stdin, output):
            os.close(descriptor)
        with os.fdopen(failed, "rb") as file:  # ends when the program has begun
            report = file.read()
        if report:
            os.waitpid(pid, 0)
            self._main, self._launch = 0, None
            number, _, what = report.decode(errors="replace").partition(" ")
            send(self._connection, Refused(int(number), what))

    def _interrupt(self) -> None:
        launch = self._launch
        if launch is None or not self._main:
            return
        if launch.inspect:
            with suppress(OSError, subprocess.SubprocessError, ValueError):
                done = subprocess.run(
                    launch.inspect,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    stdin=subprocess.DEVNULL,
                    timeout=_HELPER_PATIENCE,
                    check=True,
                )
                interrupt_below(int(done.stdout))
        elif launch.wrapped:
            for child in children(self._main):
                interrupt_below(child)
        else:
            with suppress(OSError):
                os.killpg(self._main, signal.SIGINT)

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._woken, 4096)
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._main:
                self._finish(_exit_code(status), usage)

    def _finish(self, exit_code: int, usage: resource.struct_rusage) -> None:
        launch, self._launch, self._main = self._launch, None, 0
        if launch is not None and launch.linger:
            _await_children(launch.linger)
        end_below(os.getpid())
        send(
            self._connection,
            Ended(exit_code, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024),
        )

    def _end_all(self) -> None:
        """Kill, from without first where the code is not below this process; the end is told by `_reap`."""
        launch, main = self._launch, self._main
        if main:
            with suppress(OSError):
                os.kill(main, signal.SIGKILL)
            _, status, usage = os.wait4(main, 0)
            end_below(os.getpid())
            if launch is not None and launch.remove:
                with suppress(OSError, subprocess.SubprocessError):
                    subprocess.run(
                        launch.remove,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                        timeout=_HELPER_PATIENCE,
                        check=False,
                    )
            with suppress(OSError):
                self._finish(_exit_code(status), usage)
        end_below(os.getpid())


def _await_children(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.005)


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _become(launch: Launch, stdin: int, output: int, failing: int) -> NoReturn:
    """In the forked child: turn into the program, or say why not."""
    what = launch.argv[0]
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        for target, source in ((0, stdin), (1, output), (2, output)):
            os.dup2(source, target)
        for path in launch.cgroups:
            descriptor = os.open(path, os.O_WRONLY)
            os.write(descriptor, b"0")
            os.close(descriptor)
        if launch.memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (launch.memory, launch.memory))
        if launch.file_size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (launch.file_size, launch.file_size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if launch.identity is not None:
            os.setgroups(launch.identity.groups)
            os.setresgid(launch.identity.gid, launch.identity.gid, launch.identity.gid)
            os.setresuid(launch.identity.uid, launch.identity.uid, launch.identity.uid)
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if launch.no_new_privileges:
            _prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        what = f"the working directory {launch.cwd}"
        os.chdir(launch.cwd)
        what = launch.argv[0]
        os.execvpe(launch.argv[0], launch.argv, launch.env)  # noqa: S606 - this is its purpose
    except OSError as error:
        os.write(failing, f"{error.errno} {what}: {error.strerror}".encode())
    except BaseException as error:  # noqa: BLE001 - a forked child must never return
        os.write(failing, f"0 {what}: {error}".encode())
    os._exit(127)


def main(arguments: list[str]) -> None:
    """Serve the connection with the number ``arguments[0]``."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    connection = socket.socket(fileno=int(arguments[0]))
    connection.set_inheritable(False)
    with connection, suppress(BrokenPipeError):
        Keeper(connection).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
