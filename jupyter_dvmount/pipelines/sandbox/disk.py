"""The bound on what an attempt writes: counted while it runs, since few file systems would do it for us."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_PAUSE = 0.2  # seconds between two counts
_SHARE = 20  # times as long as a count takes, if that is longer: many files must not cost a core
_BLOCK = 512  # bytes of st_blocks, whatever the file system's own are


class Disk:
    """What some directories hold, and whether that is too much.

    Parameters
    ----------
    directories
        Where the attempt can write; missing ones hold nothing.
    limit
        Bytes; None for no bound.
    """

    def __init__(self, directories: Sequence[Path], limit: int | None) -> None:
        self.limit = limit
        self._directories = directories
        self._next = time.monotonic() + _PAUSE

    @property
    def pause(self) -> float | None:
        """Seconds until the next count; None for never."""
        return None if self.limit is None else max(self._next - time.monotonic(), 0.0)

    def is_exceeded(self) -> bool:
        """Whether it is too much now, counted."""
        if self.limit is None:
            return False
        begin = time.monotonic()
        used = sum(map(_used, self._directories))
        end = time.monotonic()
        self._next = end + max(_PAUSE, _SHARE * (end - begin))
        return used > self.limit


def _used(directory: Path) -> int:
    """Bytes of disk below a directory; of files that are removed meanwhile none."""
    total, seen = 0, set()
    waiting = [os.fspath(directory)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if status.st_nlink > 1 and not entry.is_dir(follow_symlinks=False):
                        if status.st_ino in seen:
                            continue
                        seen.add(status.st_ino)
                    total += status.st_blocks * _BLOCK
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    return total
