"""Keeps the daemon alive: starts it, watches it, replaces it when it dies or hangs."""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from dvmount_fuse.control import Stop, ask
from dvmount_fuse.endpoint import clean
from dvmount_fuse.layout import State
from jupyter_dvmount.store import Unavailable

from .locks import is_held
from .service import SUPERVISOR, Service, open_log

log = logging.getLogger("jupyter_dvmount.mounting")

HUNG = 10.0
"""Seconds for which the daemon may not answer before it is replaced."""
PING = 2.0
"""Seconds between two questions whether the daemon still answers."""
STEADY = 30.0
"""A daemon that ran this many seconds has not crashed for the reason of the crash before."""
MAX_PAUSE = 30.0
"""Longest pause in seconds before the daemon is started again."""


class Keeper:
    """The daemon as its supervisor sees it.

    Parameters
    ----------
    state
        The state directory.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._service = Service(state)
        self._child: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._pidfd = -1
        self._pause = 0.0
        self._started = self._answered = self._asked = 0.0
        self._next_start = 0.0
        self._seen_mounted = False

    @property
    def running(self) -> bool:
        """Whether there is a process to watch."""
        return self._pidfd >= 0

    def keep(self, *, urgent: bool) -> None:
        """Start the daemon if it is not there, replace it if it does not answer.

        Parameters
        ----------
        urgent
            Somebody waits for it: start it now, whatever pause the last crashes have earned.
        """
        now = time.monotonic()
        if not self.running:
            if urgent:
                self._next_start = min(self._next_start, now)
            if now >= self._next_start and not self._adopt():
                self._start()
        elif now - self._asked >= PING or not self._seen_mounted:
            self._ask(now)

    def wait(self, seconds: float) -> None:
        """Sleep, or wake up at the daemon's death and prepare for the next start."""
        if not self.running:
            time.sleep(seconds)
            return
        ready, _, _ = select.select([self._pidfd], [], [], seconds)
        if ready:
            self._bury()

    def stop(self) -> None:
        """End the daemon and clean up behind it."""
        if self.running:
            with suppress(Unavailable):
                ask(self._state.socket, Stop())
            ended, _, _ = select.select([self._pidfd], [], [], HUNG)
            if not ended:
                self._kill()
            self._forget()
        clean(self._state.fs)

    def _adopt(self) -> bool:
        """Watch a daemon that an earlier supervisor has started."""
        status = self._service.status()
        if status is None:
            return False
        try:
            self._watch(status.pid)
        except ProcessLookupError:
            return False
        log.info("watching the daemon that runs as process %d", status.pid)
        return True

    def _start(self) -> None:
        self._end_predecessor()  # the dead endpoint stays: its errors are better than an empty directory
        with open_log(self._state.run / "daemon.log") as output:
            self._child = subprocess.Popen(
                [
                    *(sys.executable, "-m", "dvmount_fuse.main", "--state", os.fspath(self._state.path)),
                    *("--guard", SUPERVISOR),
                ],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._watch(self._child.pid)
        log.info("started the daemon as process %d", self._child.pid)

    def _end_predecessor(self) -> None:
        """Kill a daemon that holds its lock and does not answer; nobody else would."""
        if not is_held(self._state.run / "daemon.lock"):
            return
        with suppress(OSError, ValueError):
            pid = int((self._state.run / "daemon.pid").read_text(encoding="ascii"))
            if b"dvmount_fuse" in Path(f"/proc/{pid}/cmdline").read_bytes():
                log.warning("killing process %d: it holds the mount and does not answer", pid)
                os.kill(pid, signal.SIGKILL)

    def _watch(self, pid: int) -> None:
        self._pidfd = os.pidfd_open(pid)
        self._pid = pid
        self._started = self._answered = time.monotonic()
        self._seen_mounted = False

    def _ask(self, now: float) -> None:
        self._asked = now
        status = self._service.status()
        if status is not None:
            self._answered = time.monotonic()
            if status.lost:
                log.error("the mount has been taken away, though not its open files; the daemon is replaced")
                self._kill()
            self._seen_mounted = self._seen_mounted or status.mounted or status.lost
        elif time.monotonic() - self._answered > HUNG:
            log.error("the daemon has not answered for %.0f s and is replaced", HUNG)
            self._kill()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        select.select([self._pidfd], [], [], HUNG)

    def _forget(self) -> None:
        os.close(self._pidfd)
        self._pidfd = -1
        if self._child is not None:
            self._child.wait(timeout=HUNG)
            self._child = None

    def _bury(self) -> None:
        """Note why the daemon died and decide when the next one starts."""
        now = time.monotonic()
        log.error("the daemon, process %d, has ended", self._pid)
        self._forget()
        if not self._seen_mounted:
            self._service.failure.write_text(_last_line(self._state.run / "daemon.log"), encoding="utf-8")
        steady = self._seen_mounted and now - self._started > STEADY
        self._next_start = now + (0.0 if steady else self._pause)
        self._pause = 0.0 if steady else min(max(2 * self._pause, 0.25), MAX_PAUSE)


def _last_line(path: Path) -> str:
    with suppress(OSError, IndexError):
        return path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1]
    return "the daemon ended without a word"
