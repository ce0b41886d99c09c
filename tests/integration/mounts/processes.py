"""What runs for a state directory, and waiting for it without luck."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path

LIMIT = 30
"""Seconds after which a process that reads from a mount hangs, on a machine however busy."""


def processes_of(state: Path) -> list[int]:
    """Daemons and supervisors of a state directory."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(state).encode() in words and b"--state" in words and process.name.isdigit():
            found.append(int(process.name))
    return found


def pid_of(state: Path, which: str) -> int:
    """The ``daemon`` or ``supervisor`` of a state directory."""
    return int((state / "run" / f"{which}.pid").read_text())


def kill(pid: int) -> None:
    """Kill a process and wait until it is dead, which is when its locks are free."""
    process = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(process, signal.SIGKILL)
        select.select([process], [], [])
    finally:
        os.close(process)


def wait_for(what: Callable[[], object], seconds: float = 20) -> float:
    """Seconds until ``what`` is true; fails after a generous limit, so that slowness is no failure."""
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        try:
            if what():
                return time.monotonic() - begin
        except OSError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"still not so after {seconds} s")
