"""A small process that outlives notebooks: keeps the daemon alive and lets mounts follow their branches.

``python -m jupyter_dvmount.mounting.supervisor --state DIR``; the mount manager starts it. It is the only one
in its state directory, and ends when nothing has been mounted for a while.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from dvmount_fuse.layout import State, write_atomically
from jupyter_dvmount.store import Unavailable

from .follower import Follower
from .holders import holders
from .keeper import Keeper
from .locks import exclusive
from .records import Record, Records
from .service import Service

log = logging.getLogger("jupyter_dvmount.mounting")

IDLE = 30.0
"""Seconds without a mount after which daemon and supervisor end."""
TICK = 0.5
"""Seconds between two looks at records and branches; the death of the daemon is noticed at once."""
RETRY = 5.0
"""Seconds of rest after an error that was not foreseen."""
LOCK_PATIENCE = 2.0
"""Seconds in which another process that only probes the lock lets go of it."""


class Supervisor:
    """Runs until nothing is mounted, or it is told to end.

    Parameters
    ----------
    state
        The state directory.
    idle
        As `IDLE`.
    """

    def __init__(self, state: State, idle: float = IDLE) -> None:
        self._state = state
        self._idle = idle
        self._records = Records(state)
        self._service = Service(state)
        self._daemon = Keeper(state)
        self._follower = Follower(state)
        self._needed = time.monotonic()
        self._asked = 0
        self._ending = False

    def run(self) -> None:
        """Watch, and stop the daemon at the end."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)
        try:
            while not self._ending and self._state.run.is_dir():
                if self._look():
                    return
        finally:
            self._daemon.stop()
            self._follower.close()

    def _look(self) -> bool:
        """Do what is due; whether it is time to end. No error may end the one who mends errors."""
        try:
            records = self._records.all()
            self._tend(records)
            if not records and time.monotonic() - self._needed > self._idle and self._retire():
                return True
            self._daemon.wait(TICK)
        except Exception:
            log.exception("looking after the mounts failed; trying again in %.0f s", RETRY)
            time.sleep(RETRY)
        return False

    def _tend(self, records: list[Record]) -> None:
        waiting = self._service.is_awaited(self._idle)
        if records or waiting:
            self._needed = time.monotonic()
        if waiting or any(record.mode == "fuse" for record in records):
            self._daemon.keep(urgent=self._is_new_wish())
        self._follower.follow([record for record in records if record.follow])

    def _is_new_wish(self) -> bool:
        """Whether somebody has asked for the daemon since the last look."""
        try:
            asked = self._service.wanted.stat().st_mtime_ns
        except FileNotFoundError:
            return False
        before, self._asked = self._asked, asked
        return asked != before

    def _retire(self) -> bool:
        """Under the lock of the records, so that no mount appears between the last look and the end."""
        with self._records.lock():
            if self._records.all() or self._service.is_awaited(self._idle):
                return False
            if holders(self._state.fs):  # files opened before the unmount are still being read
                self._needed = time.monotonic()
                return False
            self._daemon.stop()
            log.info("nothing is mounted: ending")
            return True

    def _end(self, _signal: int, _frame: FrameType | None) -> None:
        self._ending = True


def main(arguments: list[str] | None = None) -> int:
    """Run the supervisor of a state directory; at once 0 if there is one already."""
    parser = argparse.ArgumentParser(
        prog="python -m jupyter_dvmount.mounting.supervisor", description=__doc__
    )
    parser.add_argument("--state", type=Path, required=True, help="state directory")
    parser.add_argument("--idle", type=float, default=IDLE, help="seconds without a mount until it ends")
    parser.add_argument(
        "--revive", action="store_true", help="only start the supervisor, if it was killed, and return"
    )
    parser.add_argument("--starting", type=int, help="descriptor that is closed when it is up")
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    state = State(options.state.absolute())
    try:
        if options.revive:
            Service(state).look_after()
            return 0
        with exclusive(state.run / "supervisor.lock", patience=LOCK_PATIENCE):
            write_atomically(state.run / "supervisor.pid", str(os.getpid()).encode(), state.tmp)
            if options.starting is not None:
                os.close(options.starting)
            Supervisor(state, options.idle).run()
    except Unavailable as error:
        log.info("not watching %s: %s", state.path, error.message)
    return 0


if __name__ == "__main__":
    sys.exit(main())
