"""The processes below one, by what the kernel shows of them."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
MARKER = "DVM_ATTEMPT"
"""Variable by which processes of an attempt are found that have lost their keeper."""
_PAUSE = (0.002, 0.1)  # seconds between two looks at what is left: at first, at most
_PATIENCE = 5.0  # seconds after which what the kernel does not let go of is left to it


def children(pid: int) -> list[int]:
    """Processes started by ``pid``, by any of its threads."""
    found: list[int] = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - a Path for each costs more than the read
            with suppress(OSError), open(f"/proc/{pid}/task/{task}/children", "rb") as file:  # noqa: PTH123
                found.extend(map(int, file.read().split()))
    return found


def descendants(pid: int) -> list[int]:
    """Processes below ``pid``, parents first."""
    found = children(pid)
    for each in found:
        found.extend(children(each))
    return found


def interrupt_below(pid: int) -> None:
    """SIGINT to the groups of what ``pid`` has started, or to its own if that is nothing."""
    for group in {_group(each) for each in children(pid) or [pid]} - {0}:
        with suppress(OSError):
            os.killpg(group, signal.SIGINT)


def end_below(pid: int) -> None:
    """Kill everything below ``pid``, which is this process and a subreaper; returns when nothing is left.

    All are stopped first, so that none can start another one meanwhile.
    """
    pause = _PAUSE[0]
    while _has_children():
        stopped: set[int] = set()
        while fresh := set(descendants(pid)) - stopped:
            _signal_all(fresh, signal.SIGSTOP)
            stopped |= fresh
        _signal_all(stopped, signal.SIGKILL)
        _reap()
        time.sleep(pause)
        pause = min(2 * pause, _PAUSE[1])


def end_marked(attempt: str) -> int:
    """Kill every process of an attempt, by `MARKER` in its environment; returns how many.

    For what is left when those have been killed who would have ended it.
    """
    wanted = f"{MARKER}={attempt}".encode()
    ended: set[int] = set()
    deadline = time.monotonic() + _PATIENCE
    while found := {pid for pid in _all() if wanted in _environment(pid)}:
        _signal_all(found, signal.SIGKILL)
        ended |= found
        if time.monotonic() > deadline:
            break
        time.sleep(_PAUSE[0])
    return len(ended)


def _all() -> list[int]:
    return [
        int(path.name) for path in PROC.iterdir() if path.name.isdigit() and int(path.name) != os.getpid()
    ]


def _environment(pid: int) -> list[bytes]:
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # gone, a zombie, or another user's
        return []


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _signal_all(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, number)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
