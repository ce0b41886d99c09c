"""The data sets of the benchmarks: the same bytes on every machine and in every run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from blake3 import blake3

FILE = 20 << 10
DIRECTORIES, FILES_EACH = 200, 100
BIG_FILES, BIG = 4, 512 << 20
INSERTED, INSERTED_AT = 1 << 20, 10 << 20
PATHS = 1_000_000
IN_DIRECTORY = 1_000
_BLOCK = 8 << 20
_WORDS = [blake3(str(number).encode()).hexdigest()[: 3 + number % 8] for number in range(2000)]

DESCRIPTIONS = {
    "D1": "20,000 files of 20 KiB in 200 directories, every third compressible",
    "D2": "4 files of 512 MiB, incompressible",
    "D3": "D2 with 1 MiB of new bytes inserted at 10 MiB of each file",
    "M1": "1,000,000 paths in 1,000 directories",
}


def random_bytes(seed: str, length: int, start: int = 0) -> bytes:
    """``length`` bytes of an endless incompressible stream, from ``start`` on."""
    return blake3(seed.encode()).digest(length=length, seek=start)


def make_d1(place: Path, scale: float = 1.0) -> Path:
    """Many small files, every third of them compressible."""
    for directory in range(d1_files(scale) // FILES_EACH):
        below = place / f"d{directory:03}"
        below.mkdir(parents=True)
        for index in range(FILES_EACH):
            seed = f"D1/{directory}/{index}"
            content = text(seed, FILE) if index % 3 == 0 else random_bytes(seed, FILE)
            (below / f"f{index:03}.bin").write_bytes(content)
    return place


def d1_files(scale: float) -> int:
    """How many files D1 has."""
    return max(1, round(DIRECTORIES * scale)) * FILES_EACH


def make_d2(place: Path, scale: float = 1.0) -> Path:
    """A few large incompressible files."""
    place.mkdir(parents=True)
    for number in range(BIG_FILES):
        with (place / f"big{number}.bin").open("wb") as file:
            for block in _big(number, scale):
                file.write(block)
    return place


def make_d3(place: Path, scale: float = 1.0) -> Path:
    """D2 with new bytes near the front of each file."""
    place.mkdir(parents=True)
    for number in range(BIG_FILES):
        at = min(INSERTED_AT, big_size(scale) // 2)
        with (place / f"big{number}.bin").open("wb") as file:
            left = at
            for block in _big(number, scale):
                if 0 <= left < len(block):
                    file.write(block[:left] + random_bytes(f"D3/{number}", INSERTED) + block[left:])
                else:
                    file.write(block)
                left -= len(block)
    return place


def big_size(scale: float) -> int:
    """Bytes of one file of D2."""
    return max(_BLOCK, round(BIG * scale))


def _big(number: int, scale: float) -> Iterator[bytes]:
    for start in range(0, big_size(scale), _BLOCK):
        yield random_bytes(f"D2/{number}", min(_BLOCK, big_size(scale) - start), start)


def text(seed: str, length: int) -> bytes:
    """``length`` bytes of words; they compress to about half."""
    words = random.Random(seed).choices(_WORDS, k=length // 4)
    return " ".join(words).encode()[:length]


def m1_paths(scale: float = 1.0) -> Iterator[str]:
    """The paths of M1, relative and in order."""
    for directory in range(max(1, round(PATHS * scale) // IN_DIRECTORY)):
        for index in range(IN_DIRECTORY):
            yield f"dir{directory:04}/file{index:04}.dat"


def make_m1_contents(place: Path) -> list[Path]:
    """The few small files that all paths of M1 share: what is measured there are paths, not bytes."""
    place.mkdir(parents=True)
    files = [place / f"c{number:02}" for number in range(64)]
    for number, file in enumerate(files):
        file.write_bytes(random_bytes(f"M1/{number}", 16 + number))
    return files
