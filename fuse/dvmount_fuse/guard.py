"""Looks after the one who looks after the daemon: a supervisor that was killed is started again.

The two guard each other. Whoever is killed first is brought back by the other.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

log = logging.getLogger("jupyter_dvmount.fuse")

LONELY = 5.0
"""Seconds without a question after which the supervisor, which asks every 2 s, may be dead."""
MAX_PAUSE = 60.0
"""Longest pause in seconds between two attempts; a supervisor that is only stopped is left alone."""
_PATIENCE = 60.0  # seconds for the one that starts it


class Guard:
    """Waits for questions, and has the supervisor looked for when there are none.

    Parameters
    ----------
    module
        Python module that, run with ``--state STATE --revive``, starts the supervisor if there is none.
    state
        The state directory.
    """

    def __init__(self, module: str, state: Path) -> None:
        self._words = [sys.executable, "-m", module, "--state", os.fspath(state), "--revive"]
        self._asked = time.monotonic()

    def note(self) -> None:
        """Somebody has asked."""
        self._asked = time.monotonic()

    def run(self) -> None:
        """Guard for ever; for a thread of its own."""
        pause = LONELY
        while True:
            time.sleep(pause)
            if time.monotonic() - self._asked < LONELY:
                pause = LONELY
                continue
            log.warning("nobody has asked for %.0f s: looking for the supervisor", LONELY)
            try:
                subprocess.run(self._words, cwd="/", stdin=subprocess.DEVNULL, timeout=_PATIENCE, check=True)
            except (OSError, subprocess.SubprocessError) as error:
                log.error("the supervisor cannot be started: %s", error)
            pause = min(2 * pause, MAX_PAUSE)
