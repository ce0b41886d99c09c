"""``dvmount-fuse``: the command of the daemon."""

from __future__ import annotations

import argparse
import ctypes
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread

from filelock import FileLock, Timeout

from jupyter_dvmount.store import StoreError

from .binding import Session
from .control import Answer, Done, Ping, Request, Resolve, Server, Status
from .device import attach
from .endpoint import clean, mounted_device, widen_readahead
from .filesystem import FileSystem
from .guard import Guard
from .inhand import DEADLINE, InHand
from .layout import State, write_atomically
from .stores import Stores

log = logging.getLogger("jupyter_dvmount.fuse")

READ_AHEAD = 1 << 20
"""Bytes that the kernel reads ahead of a sequential reader, where that may be set."""
DEADLINE_VARIABLE = "DVMOUNT_READ_TIMEOUT"
"""Seconds that a read may take; `DEADLINE` if not set."""
LOCK_PATIENCE = 5.0
"""Seconds that a dying predecessor gets to let go of its lock."""
_ARENA_MAX = -8  # M_ARENA_MAX, glibc's malloc.h


def main(arguments: list[str] | None = None) -> int:
    """Serve the mount of one state directory until it is stopped or unmounted.

    Returns
    -------
    int
        Exit status: 0 after a stop, 1 if it could not serve, 3 if another daemon serves this directory.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.debug else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    _bound_heaps()
    state = State(options.state.absolute())
    try:
        state.prepare()
        with FileLock(state.run / "daemon.lock", timeout=LOCK_PATIENCE):
            _serve(state, options.deadline, options.guard and Guard(options.guard, state.path))
    except Timeout:
        log.error("another daemon serves %s", state.path)
        return 3
    except (StoreError, OSError) as error:
        log.error("%s", error)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dvmount-fuse",
        description="Show finished commits of version stores as read-only directories below STATE/fs. "
        "It stays in the foreground; `dvmount mount` starts and watches it by itself.",
    )
    parser.add_argument("--state", type=Path, required=True, help="state directory of the mount manager")
    parser.add_argument(
        "--deadline",
        type=float,
        default=float(os.environ.get(DEADLINE_VARIABLE) or DEADLINE),
        help="seconds after which a read that a store has not answered is an error",
    )
    parser.add_argument(
        "--guard", metavar="MODULE", help="Python module that finds or starts the supervisor when nobody asks"
    )
    parser.add_argument("--debug", action="store_true", help="log more")
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and end")
    return parser


class _Version(argparse.Action):
    """As argparse's own, which would have to know it before it is asked for: that takes long."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        parser.exit(message=f"{version('jupyter-dvmount')}\n")


def _bound_heaps() -> None:
    """Have glibc keep one heap for all threads: what each would hold back for itself is never given back."""
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def _serve(state: State, deadline: float, guard: Guard | None) -> None:
    write_atomically(state.run / "daemon.pid", str(os.getpid()).encode(), state.tmp)
    stores = Stores(state)
    filesystem, in_hand = FileSystem(stores), InHand(deadline)
    clean(state.fs)  # at the last moment: until then whoever looks gets an error, not an empty directory
    session = Session(filesystem, attach(state.fs), in_hand)
    daemon = Daemon(state, filesystem, in_hand, session, guard)
    server = Server(state.socket, daemon.answer)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: daemon.unmount())
    server.start()
    Thread(target=stores.warm, name="warm", daemon=True).start()
    Thread(target=daemon.widen_readahead, name="readahead", daemon=True).start()
    if guard is not None:
        Thread(target=guard.run, name="guard", daemon=True).start()
    try:
        session.run()
    finally:
        state.socket.unlink(missing_ok=True)
        server.shutdown()
        server.server_close()
        stores.close()


class Daemon:
    """Answers the control socket.

    Parameters
    ----------
    state, filesystem, in_hand, session
        What it serves, what its threads are doing, and what ends them.
    guard
        Told that somebody asks.
    """

    def __init__(
        self, state: State, filesystem: FileSystem, in_hand: InHand, session: Session, guard: Guard | None
    ) -> None:
        self.state = state
        self.filesystem = filesystem
        self.in_hand = in_hand
        self.session = session
        self.guard = guard
        self.device = mounted_device(state.fs)

    def answer(self, request: Request) -> Answer:
        """Answer one request; raises `StoreError` where a commit cannot be shown."""
        if isinstance(request, Ping):
            if self.guard is not None:
                self.guard.note()
            return self._status()
        if isinstance(request, Resolve):
            self.filesystem.tree(request.store, request.directory)
            return Done()
        self.unmount()
        return Done()

    def unmount(self) -> None:
        """Take the mount away and end, though files may be open; does not wait for it."""
        Thread(target=self._unmount, name="unmount", daemon=True).start()

    def _unmount(self) -> None:
        try:
            clean(self.state.fs)
        finally:
            self.session.end()

    def _status(self) -> Status:
        accepted = self.in_hand.mounted.is_set()
        in_place = mounted_device(self.state.fs) == self.device
        return Status(
            pid=os.getpid(),
            mountpoint=str(self.state.fs),
            mounted=accepted and in_place,
            lost=accepted and not in_place,
            commits=self.filesystem.open_commits,
            rss=_resident(),
            busy=self.in_hand.busy(),
        )

    def widen_readahead(self) -> None:
        """Raise the kernel's read-ahead once the mount is there."""
        self.in_hand.mounted.wait()
        widen_readahead(self.state.fs, READ_AHEAD)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
