"""Pack files: many chunks in one append-only file that describes itself (``docs/format.md``, packs)."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

import msgspec
import zstandard
from blake3 import blake3
from typing_extensions import Buffer

from jupyter_dvmount.store.embedded.blobs.base import PACKS, Blobs
from jupyter_dvmount.store.errors import Corrupt

from .codec import HASH_BYTES, Encoded, Kind

TARGET = 32 << 20
"""A pack that has reached this many bytes is closed."""
HEADER = b"DVMPACK1"
_END = b"DVMPKEND"
_TRAILER = HASH_BYTES + 8 + len(_END)
_MAX_FOOTER = 256 << 20
_IOV_MAX = os.sysconf("SC_IOV_MAX")


class Place(NamedTuple):
    """Where a chunk is within its pack, and how it is stored."""

    hash: bytes
    offset: int
    stored: int
    raw: int
    codec: int


class SealedPack(NamedTuple):
    """A complete pack file that the catalog does not know yet."""

    name: str
    kind: Kind
    size: int
    places: list[Place]


class _Footer(msgspec.Struct, array_like=True):
    kind: int
    hashes: bytes
    offsets: list[int]
    stored: list[int]
    raw: list[int]
    codecs: list[int]


class BadPack(Exception):
    """A file in ``packs/`` is not a whole pack."""


class PackWriter:
    """Writes one pack under a temporary name; `seal` makes it a pack, `abort` makes it vanish.

    Raises `OSError` for what the disk says. The file is locked while it is written, so that another
    process can tell a living writer from a dead one.
    """

    def __init__(self, blobs: Blobs, kind: Kind) -> None:
        self.name = uuid.uuid4().hex
        self.kind = kind
        self.places: dict[bytes, Place] = {}
        self._blobs = blobs
        self._tmp = blobs.staging / self.name
        self._file = self._tmp.open("x+b", buffering=0)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self.size = len(HEADER)
        try:
            _write_all(self._file.fileno(), [HEADER])
        except BaseException:
            self.abort()
            raise

    def add(self, chunks: Sequence[Encoded]) -> int:
        """Append chunks until the pack is full; returns how many that were."""
        end = self.size
        places = []
        for chunk in chunks:
            if end >= TARGET:
                break
            length = memoryview(chunk.payload).nbytes
            places.append(Place(chunk.hash, end, length, chunk.raw, chunk.codec))
            end += length
        _write_all(self._file.fileno(), [chunk.payload for chunk in chunks[: len(places)]])
        self.places.update((place.hash, place) for place in places)
        self.size = end
        return len(places)

    def read(self, hash_: bytes) -> bytes | None:
        """Stored bytes of a chunk of this pack, or None."""
        place = self.places.get(hash_)
        if place is None:
            return None
        return os.pread(self._file.fileno(), place.stored, place.offset)

    @property
    def full(self) -> bool:
        """Whether the pack should be sealed."""
        return self.size >= TARGET

    def seal(self) -> SealedPack:
        """Write the footer and publish the file, durably."""
        places = list(self.places.values())
        footer = _encode_footer(self.kind, places)
        trailer = blake3(footer).digest() + len(footer).to_bytes(8, "little") + _END
        _write_all(self._file.fileno(), [footer, trailer])
        self._blobs.publish(self._file, PACKS + self.name)
        self._file.close()
        return SealedPack(self.name, self.kind, self.size + len(footer) + len(trailer), places)

    def abort(self) -> None:
        """Remove the temporary file."""
        self._file.close()
        with suppress(OSError):
            self._tmp.unlink()


def _write_all(fd: int, parts: Iterable[Buffer]) -> None:
    """Write parts one after another, in few calls and without joining them."""
    waiting = deque(memoryview(part) for part in parts)
    while waiting:
        written = os.writev(fd, list(islice(waiting, _IOV_MAX)))
        while waiting and written >= len(waiting[0]):
            written -= len(waiting.popleft())
        if written:
            waiting[0] = waiting[0][written:]


def _encode_footer(kind: Kind, places: list[Place]) -> bytes:
    footer = _Footer(
        kind,
        b"".join(place.hash for place in places),
        [place.offset for place in places],
        [place.stored for place in places],
        [place.raw for place in places],
        [place.codec for place in places],
    )
    return zstandard.ZstdCompressor(level=1).compress(msgspec.msgpack.encode(footer))


def read_footer(blobs: Blobs, name: str) -> tuple[Kind, Iterator[Place]]:
    """Kind and chunks of the pack ``name``, as its own footer tells.

    Raises
    ------
    BadPack
        If it is missing, cut off, or its header, footer or trailer is damaged.
    Unavailable, Denied
        If it cannot be read now.
    """
    blob = PACKS + name
    try:
        size = blobs.size(blob)
        if size < len(HEADER) + _TRAILER or blobs.read(blob, 0, len(HEADER)) != HEADER:
            raise BadPack("its header is damaged")
        trailer = blobs.read(blob, size - _TRAILER, _TRAILER)
        length = int.from_bytes(trailer[HASH_BYTES : HASH_BYTES + 8], "little")
        if trailer[-len(_END) :] != _END or length > min(size - _TRAILER, _MAX_FOOTER):
            raise BadPack("it is cut off or its end is damaged")
        stored = blobs.read(blob, size - _TRAILER - length, length)
    except Corrupt as error:
        raise BadPack(error.message) from error
    if blake3(stored).digest() != trailer[:HASH_BYTES]:
        raise BadPack("its footer is damaged")
    try:
        raw = zstandard.ZstdDecompressor().decompress(stored, max_output_size=_MAX_FOOTER)
        footer = msgspec.msgpack.decode(raw, type=_Footer)
        kind = Kind(footer.kind)
    except (zstandard.ZstdError, msgspec.DecodeError, ValueError) as error:
        raise BadPack(f"its footer cannot be read: {error}") from error
    return kind, _places(footer)


def _places(footer: _Footer) -> Iterator[Place]:
    hashes = (footer.hashes[i : i + HASH_BYTES] for i in range(0, len(footer.hashes), HASH_BYTES))
    return map(Place, hashes, footer.offsets, footer.stored, footer.raw, footer.codecs)
