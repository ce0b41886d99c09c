"""Tells whether the FUSE loop is stuck, without asking the mount, which might never answer."""

from __future__ import annotations

from threading import Event
from time import monotonic


class Activity:
    """What the FUSE loop is doing; written by the loop, read by the control socket.

    Attributes
    ----------
    mounted
        Set once the kernel has accepted the mount.
    since
        Monotonic time in seconds at which the request in hand came, 0 while the loop waits for one.
    """

    __slots__ = ("mounted", "since")

    def __init__(self) -> None:
        self.mounted = Event()
        self.since = 0.0

    def busy(self) -> float:
        """Seconds that the request in hand has been running, 0 if there is none."""
        since = self.since
        return monotonic() - since if since else 0.0
