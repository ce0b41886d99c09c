"""Blobs that are far away, read through blocks of them on the local disk."""

from __future__ import annotations

import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from jupyter_dvmount.store.embedded.machine.diskcache import DiskCache

from .ahead import Ahead
from .base import BlobInfo, Blobs

BLOCK = 1 << 20
"""Bytes that are fetched and kept at once (``docs/stores.md`` has the measurement)."""
_HELD = 16  # blocks that the disk has not taken and that are held in memory for a while
_GUESSED = 16  # blocks on their way that nobody has asked for yet
T = TypeVar("T")
_Key = tuple[str, int]
_Wanted = list[tuple[int, int, int]]
"""Blocks of a range, each as (index, start and stop of the range within the block)."""


class Remote(Blobs, Protocol):
    """Blobs that are far away."""

    patience: float
    """Seconds within which a read ends."""

    def fetch(self, name: str, offset: int, length: int) -> Future[bytes]:
        """Begin to read a range."""

    def wait(self, fetched: Future[T], doing: str, seconds: float) -> T:
        """The result of what was begun; `Unavailable` after ``seconds``."""


class CachedBlobs:
    """`Blobs` over remote ones. Several processes may share the files.

    Threads that miss a block together fetch it once. Who reads on through a blob finds the next blocks
    there, since they are fetched side by side. Blocks of deleted blobs stay until they are the oldest.

    Parameters
    ----------
    source
        Where blobs really are.
    files
        Where blocks are kept.
    """

    def __init__(self, source: Remote, files: DiskCache) -> None:
        self._remote = source
        self._files = files
        self._ahead = Ahead()
        self._flights: OrderedDict[_Key, Future[bytes]] = OrderedDict()
        self._guessed: set[_Key] = set()
        self._forgotten: weakref.WeakSet[Future[bytes]] = weakref.WeakSet()
        self._lock = threading.Lock()

    @property
    def staging(self) -> Path:
        """Where files that are to be published are written."""
        return self._remote.staging

    @property
    def source(self) -> Blobs:
        """The same blobs past the cache."""
        return self._remote

    def read(self, name: str, offset: int, length: int) -> bytes:
        """A range of a blob."""
        deadline = time.monotonic() + self._remote.patience
        wanted = _blocks(offset, length)
        parts = {
            index: self._files.read(_file((name, index)), start, stop - start)
            for index, start, stop in wanted
        }
        flights = {index: self._flight((name, index)) for index, part in parts.items() if part is None}
        self._guess(name, wanted)
        data = b""
        for index, start, stop in wanted:
            part = parts[index]
            if part is None:
                left = max(deadline - time.monotonic(), 0)
                part = self._remote.wait(flights[index], f"read {name}", left)[start:stop]
            data = data + part if data else part
            if len(part) < stop - start:
                break
        return data

    def size(self, name: str) -> int:
        """Bytes of a blob, past the cache."""
        return self._remote.size(name)

    def load(self, name: str) -> bytes:
        """A whole blob, past the cache."""
        return self._remote.load(name)

    def publish(self, file: BinaryIO, name: str) -> None:
        """Upload a file."""
        self._remote.publish(file, name)

    def write(self, name: str, data: bytes) -> None:
        """Make or replace a small blob."""
        self._remote.write(name, data)

    def list(self, prefix: str, after: str = "") -> Iterator[BlobInfo]:
        """Blobs below a prefix, by name."""
        return self._remote.list(prefix, after)

    def delete(self, name: str) -> None:
        """Remove a blob."""
        self._remote.delete(name)

    def forget(self, name: str, offset: int, length: int) -> bool:
        """Delete the local copies of a range; the next read fetches it."""
        for index, _, _ in _blocks(offset, length):
            with self._lock:
                flight = self._flights.pop((name, index), None)
                if flight is not None:  # the disk may be about to get it
                    self._forgotten.add(flight)
            self._files.drop(_file((name, index)))
        return True

    def close(self) -> None:
        """Close the connections."""
        self._remote.close()

    def _guess(self, name: str, wanted: _Wanted) -> None:
        """Begin to fetch what is likely to be read next."""
        for index in self._ahead.after(name, wanted[0][0], wanted[-1][0]) if wanted else ():
            key = (name, index)
            if len(self._guessed) < _GUESSED and not self._files.holds(_file(key)):
                self._guessed.add(key)
                self._flight(key)

    def _flight(self, key: _Key) -> Future[bytes]:
        """The fetch of a block that is under way, or of one that has just landed, or a new one."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight
            data = self._files.read(_file(key), 0, BLOCK)
            if data is not None:
                flight = Future()
                flight.set_result(data)
                return flight
            flight = self._flights[key] = self._remote.fetch(key[0], key[1] * BLOCK, BLOCK)
        flight.add_done_callback(partial(self._landed, key))
        return flight

    def _landed(self, key: _Key, flight: Future[bytes]) -> None:
        self._guessed.discard(key)
        failed = flight.cancelled() or flight.exception() is not None
        data = b"" if failed else flight.result()
        if not failed and len(data) < BLOCK:
            self._ahead.ends(*key)
        is_kept = not data or (flight not in self._forgotten and self._files.write(_file(key), data))
        with self._lock:
            is_forgotten = flight in self._forgotten
            if is_kept and self._flights.get(key) is flight:
                del self._flights[key]
            landed = [key for key, flight in self._flights.items() if flight.done()]
            for old in landed[:-_HELD]:
                del self._flights[old]
        if is_forgotten:
            self._files.drop(_file(key))


def _blocks(offset: int, length: int) -> _Wanted:
    first, end = offset // BLOCK, -(-(offset + length) // BLOCK) if length > 0 else 0
    return [
        (index, max(offset - index * BLOCK, 0), min(offset + length - index * BLOCK, BLOCK))
        for index in range(first, end)
    ]


def _file(key: _Key) -> str:
    name, index = key
    return f"{name.replace('/', '-')}.{index}"
