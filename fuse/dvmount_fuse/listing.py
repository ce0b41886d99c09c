"""An open directory: entries by offset, as the kernel asks for them, without holding the whole listing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from .filesystem import Node

Entry = tuple[str, Node | None]


class Listing:
    """Entries of one directory, ``.`` and ``..`` first.

    Parameters
    ----------
    source
        Starts the listing anew.

    Notes
    -----
    The kernel continues at the offset of the last entry that fitted its buffer; only what lies behind that
    entry is held. An earlier offset (``rewinddir``, ``seekdir``) starts the listing again.
    """

    def __init__(self, source: Callable[[], Iterator[tuple[str, Node]]]) -> None:
        self._source = source
        self._restart()

    def _restart(self) -> None:
        self._rest = self._all()
        self._ahead: deque[Entry] = deque()
        self._start = 0

    def _all(self) -> Iterator[Entry]:
        yield ".", None
        yield "..", None
        yield from self._source()

    def after(self, offset: int) -> Iterator[tuple[int, str, Node | None]]:
        """(offset behind the entry, name, node) of the entries from ``offset`` on."""
        if offset < self._start:
            self._restart()
        for _ in range(offset - self._start):
            if self._ahead:
                self._ahead.popleft()
            elif next(self._rest, None) is None:
                return
            self._start += 1
        for position, (name, node) in enumerate(self._ahead, offset + 1):
            yield position, name, node
        for name, node in self._rest:
            self._ahead.append((name, node))
            yield offset + len(self._ahead), name, node
