"""One reader of the soak: reads whatever is mounted in every way, and compares it with what was put."""

from __future__ import annotations

import errno
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .contents import content

MAY_FAIL = {errno.ENOENT, errno.ENOTCONN, errno.ECONNABORTED, errno.EIO, errno.ENODEV}
"""While the daemon is dead or a mount is taken away; wrong bytes may never be."""


class Tally(msgspec.Struct):
    """What a reader has seen."""

    reads: int = 0
    bytes: int = 0
    wrong: list[str] = []
    errors: dict[str, int] = {}
    slowest: float = 0.0


def main(root: Path, catalogues: Path, tally: Path, seed: int) -> None:
    """Read until standard input ends."""
    chance = random.Random(seed)
    seen, errors = Tally(wrong=[]), Counter[str]()
    os.set_blocking(0, False)
    while True:
        try:
            if not os.read(0, 1):
                break
        except BlockingIOError:
            pass
        begin = time.monotonic()
        try:
            _read_something(root, catalogues, chance, seen)
        except OSError as error:
            errors[errno.errorcode.get(error.errno or 0, str(error))] += 1
            if error.errno not in MAY_FAIL:
                seen.wrong.append(repr(error))
            time.sleep(0.02)
        seen.slowest = max(seen.slowest, time.monotonic() - begin)
        seen.errors = dict(errors)
        temporary = tally.with_suffix(".new")
        temporary.write_bytes(msgspec.json.encode(seen))
        temporary.replace(tally)  # its time is the sign of life


def _read_something(root: Path, catalogues: Path, chance: random.Random, seen: Tally) -> None:
    mounts = list(root.iterdir())
    if not mounts:
        time.sleep(0.05)
        return
    target = Path(os.path.realpath(chance.choice(mounts)))
    files = msgspec.json.decode((catalogues / target.name).read_bytes(), type=dict[str, tuple[str, int]])
    if chance.random() < 0.1:
        listed = set(_walk(target))
        if listed != set(files):
            seen.wrong.append(f"listing of {target.name}: {sorted(listed ^ set(files))[:5]}")
    for name in chance.sample(sorted(files), min(30, len(files))):
        source, size = files[name]
        wanted = content(source, size)
        with (target / name).open("rb", buffering=0) as file:
            start = chance.randrange(size + 1)
            length = chance.choice([1, 4096, 100_000, size + 1])
            if chance.random() < 0.3:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            got = _pread(file.fileno(), length, start)
        if got != wanted[start : start + length]:
            seen.wrong.append(f"{target.name}/{name} at {start}, {length} bytes")
        seen.reads += 1
        seen.bytes += len(got)


def _walk(target: Path) -> Iterator[str]:
    """Names of all files; an error is an error."""

    def fail(error: OSError) -> None:
        raise error

    for place, _, names in os.walk(target, onerror=fail):
        yield from (os.path.relpath(os.path.join(place, name), target) for name in names)  # noqa: PTH118


def _pread(descriptor: int, length: int, start: int) -> bytes:
    """Read up to the end; a read that an error cuts off gives what it has, and the next one the error."""
    got = b""
    while part := os.pread(descriptor, length - len(got), start + len(got)):
        got += part
    return got


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
