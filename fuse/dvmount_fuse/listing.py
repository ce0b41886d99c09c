"""An open directory: entries by offset, as the kernel asks for them, without holding the whole listing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from threading import Lock

from .filesystem import Node

Entry = tuple[bytes, Node]


class Listing:
    """Entries of one directory, ``.`` and ``..`` first.

    Parameters
    ----------
    dots
        The entries for the directory itself and the one above.
    source
        Starts the listing anew.

    Notes
    -----
    The kernel continues at the offset of the last entry that fitted its buffer; only what lies behind that
    entry is held. An earlier offset (``rewinddir``, ``seekdir``) starts the listing again.
    """

    def __init__(self, dots: list[Entry], source: Callable[[], Iterator[Entry]]) -> None:
        self.lock = Lock()
        """To be held while entries are taken: threads may share an open directory."""
        self._dots = dots
        self._source = source
        self._restart()

    def _restart(self) -> None:
        self._rest = self._all()
        self._ahead: deque[Entry] = deque()
        self._start = 0

    def _all(self) -> Iterator[Entry]:
        yield from self._dots
        yield from self._source()

    def after(self, offset: int) -> Iterator[Entry]:
        """The entries from ``offset`` on."""
        if offset < self._start:
            self._restart()
        for _ in range(offset - self._start):
            if self._ahead:
                self._ahead.popleft()
            elif next(self._rest, None) is None:
                return
            self._start += 1
        yield from self._ahead
        for entry in self._rest:
            self._ahead.append(entry)
            yield entry
