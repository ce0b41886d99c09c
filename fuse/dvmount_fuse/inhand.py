"""Requests that have been taken from the kernel and not been answered: what is late, and what is given up."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from threading import Event
from time import monotonic

DEADLINE = 30.0
"""Seconds after which a request that has no answer yet is answered with EIO."""
GRACE = 1.0
"""Seconds for which an interrupted request may still be answered: a signal alone fails no quick read."""


class InHand:
    """What the threads that serve the kernel are doing. Thread-safe.

    Parameters
    ----------
    deadline
        As `DEADLINE`.

    Attributes
    ----------
    mounted
        Set once the kernel has accepted the mount.
    """

    def __init__(self, deadline: float = DEADLINE) -> None:
        self.mounted = Event()
        self.deadline = deadline
        self._since: dict[int, float] = {}
        self._interrupted: set[int] = set()

    def begin(self, unique: int) -> None:
        """A request has come."""
        self._since[unique] = monotonic()

    def end(self, unique: int) -> bool:
        """It is about to be answered; False if that has been done already."""
        return self._since.pop(unique, None) is not None

    def waits(self, unique: int) -> bool:
        """Whether its answer is still waited for."""
        return unique in self._since

    def interrupt(self, unique: int) -> None:
        """Whoever made the request has got a signal and would rather have no answer than a late one."""
        if unique in self._since:
            self._interrupted.add(unique)

    def expired(self) -> Iterator[tuple[int, int]]:
        """(request, errno) of those that must be answered now; they count as answered."""
        now = monotonic()
        for unique, since in list(self._since.items()):
            interrupted = unique in self._interrupted
            if now - since > (GRACE if interrupted else self.deadline) and self.end(unique):
                yield unique, errno.EINTR if interrupted else errno.EIO
        self._interrupted.intersection_update(self._since)

    def busy(self) -> float:
        """Seconds for which the oldest request has been waiting, 0 if there is none."""
        oldest = min(list(self._since.values()), default=None)
        return 0.0 if oldest is None else monotonic() - oldest
