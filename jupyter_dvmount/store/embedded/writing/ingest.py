"""From contents to chunks: streams in windows, many small files in batches, both through worker threads."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import islice
from os import PathLike
from typing import BinaryIO

import msgspec

from jupyter_dvmount.store.embedded.packs.chunking import SMALL, ChunkList, Fill, Holes, cut
from jupyter_dvmount.store.embedded.packs.codec import HASH_BYTES, Kind
from jupyter_dvmount.store.embedded.trees.tree import Item
from jupyter_dvmount.store.errors import Denied, Invalid, NotFound, StoreError, Unavailable

from .session import Found, PackSession

_BATCH = 32  # files a worker takes at once
_AHEAD = 4  # batches in flight; times SMALL bytes a file, this bounds the memory
_decoder = msgspec.msgpack.Decoder(ChunkList)

LocalFile = tuple[str, "PathLike[str]"]


def store_stream(session: PackSession, fill: Fill) -> Item:
    """Store what ``fill`` gives; the entry of the file."""
    head = bytearray(SMALL + 1)
    held = fill(memoryview(head))
    if held > SMALL:
        return _store_large(session, _after(head, fill), ChunkList([], b""), _holes(fill))
    data = bytes(memoryview(head)[:held])
    return Item(held, session.put(Kind.DATA, data))


def append_stream(session: PackSession, old: Item, fill: Fill) -> Item:
    """Store a file that is ``old`` and then what ``fill`` gives."""
    if old.size <= SMALL:
        return store_stream(session, _after(session.load(Kind.DATA, old.hash), fill))
    chunks = _decoder.decode(session.load(Kind.META, old.hash))
    last = session.load(Kind.DATA, chunks.chunk(len(chunks.lengths) - 1))
    kept = ChunkList(chunks.lengths[:-1], chunks.hashes[:-HASH_BYTES])
    return _store_large(session, _after(last, fill), kept, _holes(fill))


def store_files(session: PackSession, local: Iterable[LocalFile]) -> Iterator[tuple[str, Item]]:
    """Store local files, in their order; yields each file's name and entry."""
    source = iter(local)
    waiting: deque[Future[list[tuple[LocalFile, int, Found | None]]]] = deque()
    while True:
        while len(waiting) < _AHEAD and (files := list(islice(source, _BATCH))):
            waiting.append(session.workers.submit(_read_batch, session, files))
        if not waiting:
            return
        batch = waiting.popleft().result()
        session.add(Kind.DATA, [found for _, _, found in batch if found is not None])
        for (name, path), size, found in batch:
            if found is None:
                with reading(path) as fill:
                    yield name, store_stream(session, fill)
            else:
                yield name, Item(size, found[0])


def _read_batch(session: PackSession, batch: list[LocalFile]) -> list[tuple[LocalFile, int, Found | None]]:
    """Read and encode the small files of a batch; the others are left to be streamed."""
    contents = [_read_small(path) for _, path in batch]
    found = iter(session.find_new(Kind.DATA, [memoryview(data) for data in contents if data is not None]))
    return [
        (file, 0, None) if data is None else (file, len(data), next(found))
        for file, data in zip(batch, contents, strict=True)
    ]


def _store_large(session: PackSession, fill: Fill, kept: ChunkList, holes: Holes | None) -> Item:
    lengths, hashes = list(kept.lengths), [kept.hashes]
    previous: list[Future[list[Found]]] = []
    times = 1
    for window in cut(fill, holes):
        lengths.extend(map(len, window))
        distinct = (
            window[:1] if window and window[0] is window[-1] else window
        )  # zeros are one chunk again and again
        current = [session.workers.submit(session.find_new, Kind.DATA, part) for part in _halves(distinct)]
        hashes.extend(_add_all(session, previous) * times)
        previous, times = current, len(window) // max(len(distinct), 1)
    hashes.extend(_add_all(session, previous) * times)
    chunks = ChunkList(lengths, b"".join(hashes))
    return Item(sum(lengths), session.put(Kind.META, msgspec.msgpack.encode(chunks)))


def _halves(window: list[memoryview]) -> list[list[memoryview]]:
    middle = len(window) // 2
    return [part for part in (window[:middle], window[middle:]) if part]


def _add_all(session: PackSession, futures: list[Future[list[Found]]]) -> list[bytes]:
    found = [each for future in futures for each in future.result()]
    session.add(Kind.DATA, found)
    return [hash_ for hash_, _ in found]


def _after(head: bytes | bytearray, fill: Fill) -> Fill:
    """``head``, then what ``fill`` gives."""
    rest = memoryview(head)

    def chained(buffer: memoryview) -> int:
        nonlocal rest
        taken = min(len(rest), len(buffer))
        buffer[:taken] = rest[:taken]
        rest = rest[taken:]
        return taken + (fill(buffer[taken:]) if taken < len(buffer) else 0)

    return chained


def from_bytes(data: bytes) -> Fill:
    """A fill from memory."""
    return _after(data, lambda _buffer: 0)


def from_stream(stream: BinaryIO) -> Fill:
    """A fill from a binary stream, up to its end."""

    def fill(buffer: memoryview) -> int:
        held = 0
        while held < len(buffer):
            part = stream.read(len(buffer) - held)
            if not isinstance(part, (bytes, bytearray, memoryview)):
                raise Invalid("the source is no blocking binary stream", fix="open it in binary mode")
            if not part:
                break
            buffer[held : held + len(part)] = part
            held += len(part)
        return held

    return fill


class _LocalFill:
    """A fill from an open local file, which knows its holes."""

    def __init__(self, fd: int, path: PathLike[str]) -> None:
        self._fd = fd
        self._path = path

    def __call__(self, buffer: memoryview) -> int:
        held = 0
        try:
            while held < len(buffer) and (count := os.readv(self._fd, [buffer[held:]])):
                held += count
        except OSError as error:
            raise _source_error(self._path, error) from error
        return held

    def ahead(self) -> int:
        here = os.lseek(self._fd, 0, os.SEEK_CUR)
        try:
            end = os.lseek(self._fd, here, os.SEEK_DATA)
        except OSError as error:  # no data up to the end, or a file system that does not tell
            end = os.fstat(self._fd).st_size if error.errno == errno.ENXIO else here
        os.lseek(self._fd, here, os.SEEK_SET)
        return max(end - here, 0)

    def pass_over(self, count: int) -> None:
        os.lseek(self._fd, count, os.SEEK_CUR)


def _holes(fill: Fill) -> Holes | None:
    return fill if isinstance(fill, _LocalFill) else None


@contextmanager
def reading(path: PathLike[str]) -> Iterator[Fill]:
    """A fill from a local regular file.

    Raises
    ------
    NotFound, Denied, Invalid, Unavailable
        If it does not exist, may not be read, is not a regular file, or its disk fails.
    """
    fd, _ = _open(path)
    try:
        yield _LocalFill(fd, path)
    finally:
        os.close(fd)


def _read_small(path: PathLike[str]) -> bytes | None:
    """A file's contents, or None if it is larger than a single chunk."""
    fd, size = _open(path)
    try:
        if size > SMALL:
            return None
        data = os.read(fd, size + 1)
        if len(data) != size:  # it grew, shrank, or came in pieces
            while len(data) <= SMALL and (more := os.read(fd, SMALL + 1 - len(data))):
                data += more
    except OSError as error:
        raise _source_error(path, error) from error
    finally:
        os.close(fd)
    return data if len(data) <= SMALL else None


def _open(path: PathLike[str]) -> tuple[int, int]:
    """Descriptor and size of a regular file."""
    try:
        # Not blocking, so that a FIFO is refused below instead of waited for.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise _source_error(path, error) from error
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise Invalid(
            f"{os.fspath(path)} is not a regular file", fix="name a file, or put the directory with -r"
        )
    return fd, status.st_size


def _source_error(path: PathLike[str], error: OSError) -> StoreError:
    message = f"cannot read {os.fspath(path)}: {error.strerror}"
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return NotFound(message, fix="see that the file is still there")
    if isinstance(error, PermissionError):
        return Denied(message, fix="mend its permissions")
    return Unavailable(message, fix="see that its disk is well")
