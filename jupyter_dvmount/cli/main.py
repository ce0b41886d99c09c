"""``dvmount`` as a process: its signals and its standard streams."""

from __future__ import annotations

import io
import os
import signal
import sys
from types import FrameType


def _open_standard_streams() -> None:
    """Give streams that the caller has closed to /dev/null.

    Otherwise the next file that is opened, such as the catalog, would get the number of standard output.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, os.fdopen(number, mode))


def _terminate(number: int, frame: FrameType | None) -> None:
    """Leave through every ``finally``, so that nothing half written stays behind."""
    sys.exit(128 + number)


def main() -> None:
    """Run ``dvmount`` with the arguments of this process."""
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not so behind nohup or &
    if interruptible:  # until there is anything to tidy up, it just ends
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    _open_standard_streams()
    from .completion import PROGRAM
    from .verbs import cli

    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _terminate)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    cli(prog_name=PROGRAM)
