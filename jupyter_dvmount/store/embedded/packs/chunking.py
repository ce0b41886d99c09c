"""Cut the contents of files into chunks (``docs/format.md``, contents of files)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate
from mmap import mmap
from typing import Protocol

import msgspec
from pyfastcdc import FastCDC

from .codec import HASH_BYTES

SMALL = 256 << 10
"""Files of up to this many bytes are one chunk."""
MIN, AVERAGE, MAX = 64 << 10, 256 << 10, 1 << 20
WINDOW = 8 << 20
"""Bytes of a stream that are read and cut at once."""

_ZEROS = memoryview(bytes(MAX))  # a chunk begun with zeros goes on to its greatest length

Fill = Callable[[memoryview], int]
"""Fills a buffer from the front and returns the number of bytes; fewer than its length only at the end."""


class Holes(Protocol):
    """Tells of the file that is being read where it has zeros that no disk holds."""

    def ahead(self) -> int:
        """Number of zeros from here on that need not be read; 0 where that is not known."""

    def pass_over(self, count: int) -> None:
        """Go on reading after so many of them."""


class ChunkList(msgspec.Struct, frozen=True, array_like=True):
    """The chunks of one large file, in order."""

    lengths: list[int]
    hashes: bytes

    def chunk(self, index: int) -> bytes:
        """Hash of one chunk."""
        return self.hashes[index * HASH_BYTES : (index + 1) * HASH_BYTES]

    def all(self) -> Iterator[bytes]:
        """Hashes of all chunks."""
        return (self.chunk(index) for index in range(len(self.lengths)))


class ChunkMap:
    """A chunk list with the offsets at which its chunks start."""

    __slots__ = ("ends", "list")

    def __init__(self, chunks: ChunkList) -> None:
        self.list = chunks
        self.ends = list(accumulate(chunks.lengths))

    def find(self, offset: int) -> tuple[int, int]:
        """(index of the chunk that holds byte ``offset``, offset within it)."""
        index = bisect_right(self.ends, offset)
        return index, offset - (self.ends[index - 1] if index else 0)


def cut(fill: Fill, holes: Holes | None = None) -> Iterator[list[memoryview]]:
    """Cut a stream; yields a window's chunks, which are valid until the third next window is asked for.

    Three buffers take turns: one is read into while the one before is hashed and that before it written.
    All chunks but the last of a buffer end where they would in an endless one, so windows leave no trace.
    What is read goes to the start of a page, behind room for the chunk that the window before has left open:
    the kernel copies twice as fast between places that are aligned alike.

    Parameters
    ----------
    fill
        Reads the stream.
    holes
        Its holes, if it can have any: they are cut without being read. Such a window is one chunk, the same
        object, again and again.
    """
    # Pages that a short file does not reach cost nothing.
    buffers = [memoryview(mmap(-1, MAX + WINDOW)) for _ in range(3)]
    carried = memoryview(b"")
    turn = 0
    while True:
        buffer = buffers[turn]
        start = MAX - len(carried)
        buffer[start:MAX] = carried
        held = fill(buffer[MAX:])
        window = buffer[start : MAX + held]
        # FastCDC objects are not thread-safe; one a window costs microseconds.
        chunker = FastCDC(AVERAGE, min_size=MIN, max_size=MAX, normalized_chunking=1, seed=0)
        chunks = [window[c.offset : c.offset + c.length] for c in chunker.cut_buf(window)]
        if held < WINDOW:
            yield chunks
            return
        carried = chunks.pop()
        yield chunks
        turn = (turn + 1) % len(buffers)
        if holes is not None and (hole := holes.ahead()) and carried == _ZEROS[: len(carried)]:
            count, rest = divmod(len(carried) + hole, MAX)
            if count:
                holes.pass_over(hole)
                yield [_ZEROS] * count
                carried = _ZEROS[:rest]
