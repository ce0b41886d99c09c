"""Takes secrets out of run directories: wandb keeps what the code prints as it is.

A run's log is in the format of LevelDB's logs after a header of 7 bytes: blocks of 32 KiB with fragments of
records, each after its checksum, length and type, little-endian. The checksum is CRC-32 (IEEE) of the type
and the data; found by trying, since the documentation of LevelDB has another one.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

_HEADER = 7
_BLOCK = 32 << 10
_FRAGMENT = struct.Struct("<IHB")


def mask(directory: Path, values: Collection[bytes]) -> None:
    """Overwrite values with asterisks in all files below a directory; nothing gets longer or shorter."""
    for path in directory.rglob("*") if values else ():
        if not path.is_file() or path.is_symlink():
            continue
        data = path.read_bytes()
        masked = _mask_log(data, values) if path.suffix == ".wandb" else _mask(data, values)
        if masked != data:
            path.write_bytes(masked)


def _mask(data: bytes, values: Collection[bytes]) -> bytes:
    for value in values:
        data = data.replace(value, b"*" * len(value))
    return data


def _mask_log(data: bytes, values: Collection[bytes]) -> bytes:
    """The same for a log, whose records may be cut anywhere, values too."""
    fragments = [*_fragments(data)]
    contents = b"".join(data[begin:end] for begin, end in fragments)
    masked = _mask(contents, values)
    if masked == contents:
        return _mask(data, values)  # what is damaged and has no fragments is no better place for secrets
    result, done = bytearray(data), 0
    for begin, end in fragments:
        part = masked[done : done + end - begin]
        done += end - begin
        kind = data[begin - 1]
        result[begin - _FRAGMENT.size : end] = (
            _FRAGMENT.pack(zlib.crc32(bytes([kind]) + part), len(part), kind) + part
        )
    return bytes(result)


def _fragments(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the contents of fragments begin and end."""
    position = _HEADER
    while position + _FRAGMENT.size <= len(data):
        left = _BLOCK - position % _BLOCK
        if left < _FRAGMENT.size:
            position += left
            continue
        _, length, _ = _FRAGMENT.unpack_from(data, position)
        end = position + _FRAGMENT.size + length
        if end > len(data):
            return
        yield position + _FRAGMENT.size, end
        position = end
