"""Hash, compress and verify the bytes of one chunk (``docs/format.md``, chunks)."""

from __future__ import annotations

import threading
from enum import IntEnum
from typing import NamedTuple

import zstandard
from blake3 import blake3
from typing_extensions import Buffer

HASH_BYTES = 32
MAX_CHUNK = 1 << 30
"""Bound on the raw length that a reader believes, in bytes: a damaged row must not exhaust memory."""
_META_CONTEXT = "jupyter-dvmount 2026 metadata v1"
_RAW, _ZSTD = 0, 1
_PROBE = 16 << 10
_WORTH = 16  # compression must save one part in this many, else reading raw is the better bargain


class Kind(IntEnum):
    """What a chunk holds: each kind has its own packs and its own domain of hashes."""

    DATA = 0
    META = 1


class Encoded(NamedTuple):
    """A chunk as it goes into a pack."""

    kind: Kind
    hash: bytes
    payload: Buffer
    raw: int
    codec: int


class _Contexts(threading.local):
    """Zstandard contexts, which must not be shared between threads."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=1)
        self.decompressor = zstandard.ZstdDecompressor()


_contexts = _Contexts()


def digest(kind: Kind, data: Buffer) -> bytes:
    """Hash ``data`` in the domain of ``kind``."""
    if kind is Kind.DATA:
        return blake3(data).digest()
    return blake3(data, derive_key_context=_META_CONTEXT).digest()


def compress(data: memoryview) -> tuple[Buffer, int]:
    """Return (stored bytes, codec) of a chunk.

    Incompressible data is found by a sample from its middle, since it is what large chunks mostly are.
    """
    compressor = _contexts.compressor
    if len(data) > 4 * _PROBE:
        middle = len(data) // 2
        sample = data[middle : middle + _PROBE]
        if len(compressor.compress(sample)) > len(sample) - len(sample) // _WORTH:
            return data, _RAW
    packed = compressor.compress(data)
    if len(packed) > len(data) - len(data) // _WORTH - 1:
        return data, _RAW
    return packed, _ZSTD


def encode(kind: Kind, data: Buffer, hash_: bytes | None = None) -> Encoded:
    """Hash (unless the hash is known) and compress one chunk."""
    view = memoryview(data)
    payload, codec = compress(view)
    return Encoded(kind, hash_ or digest(kind, view), payload, len(view), codec)


def decode(kind: Kind, hash_: bytes, stored: bytes | memoryview, raw: int, codec: int) -> bytes | None:
    """Return the chunk's bytes, or None if they are not the ones filed under ``hash_``."""
    if codec == _ZSTD and raw <= MAX_CHUNK:
        try:
            data = _contexts.decompressor.decompress(stored, max_output_size=raw)
        except zstandard.ZstdError:
            return None
    elif codec == _RAW:
        data = bytes(stored)
    else:
        return None
    return data if len(data) == raw and digest(kind, data) == hash_ else None
