"""``dvmount-fuse``: the command of the daemon."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from threading import Thread, get_ident, main_thread

from filelock import FileLock, Timeout

from jupyter_dvmount.store import StoreError

from .activity import Activity
from .control import Answer, Done, Ping, Request, Resolve, Server, Status
from .endpoint import clean, widen_readahead
from .filesystem import FileSystem
from .layout import State, write_atomically
from .stores import Stores

log = logging.getLogger("jupyter_dvmount.fuse")

READ_AHEAD = 1 << 20
"""Bytes that the kernel reads ahead of a sequential reader, where that may be set."""
LOCK_PATIENCE = 5.0
"""Seconds that a dying predecessor gets to let go of its lock."""


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
    state = State(options.state.absolute())
    try:
        state.prepare()
        with FileLock(state.run / "daemon.lock", timeout=LOCK_PATIENCE):
            _serve(state)
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
    parser.add_argument("--debug", action="store_true", help="log more")
    parser.add_argument("--version", action="version", version=version("jupyter-dvmount"))
    return parser


def _serve(state: State) -> None:
    from .binding import serve  # it needs libfuse, and the command line should work without

    write_atomically(state.run / "daemon.pid", str(os.getpid()).encode(), state.tmp)
    clean(state.fs)
    stores = Stores(state)
    daemon = Daemon(state, FileSystem(stores), Activity())
    server = Server(state.socket, daemon.answer)
    server.start()
    Thread(target=daemon.widen_readahead, name="readahead", daemon=True).start()
    try:
        serve(daemon.filesystem, state.fs, daemon.activity)
    finally:
        state.socket.unlink(missing_ok=True)
        server.shutdown()
        server.server_close()
        stores.close()


class Daemon:
    """Answers the control socket.

    Parameters
    ----------
    state, filesystem, activity
        What it serves, and what its FUSE loop is doing.
    """

    def __init__(self, state: State, filesystem: FileSystem, activity: Activity) -> None:
        self.state = state
        self.filesystem = filesystem
        self.activity = activity

    def answer(self, request: Request) -> Answer:
        """Answer one request; raises `StoreError` where a commit cannot be shown."""
        if isinstance(request, Ping):
            return self._status()
        if isinstance(request, Resolve):
            self.filesystem.tree(request.store, request.directory)
            return Done()
        signal.pthread_kill(
            main_thread().ident or get_ident(), signal.SIGTERM
        )  # libfuse's handler ends the loop
        return Done()

    def _status(self) -> Status:
        return Status(
            pid=os.getpid(),
            version=version("jupyter-dvmount"),
            mountpoint=str(self.state.fs),
            mounted=self.activity.mounted.is_set(),
            commits=self.filesystem.open_commits,
            rss=_resident(),
            busy=self.activity.busy(),
        )

    def widen_readahead(self) -> None:
        """Raise the kernel's read-ahead once the mount is there."""
        self.activity.mounted.wait()
        widen_readahead(self.state.fs, READ_AHEAD)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
