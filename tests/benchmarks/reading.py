"""Ways to read what a mount shows; all in this process, so that its CPU seconds are the reader's."""

from __future__ import annotations

import os
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_BLOCK = 1 << 20
_PAGE = 4096


def find(root: Path) -> None:
    """List everything with ``find``."""
    subprocess.run(["find", f"{root}/"], stdout=subprocess.DEVNULL, check=True)


def walk(root: Path) -> None:
    """List everything and ask for the size of every file."""
    for place, _, names in os.walk(root):
        for name in names:
            os.stat(os.path.join(place, name))  # noqa: PTH116, PTH118 - half of the time would be Path's


def read_tree(root: Path) -> None:
    """Read all files of all directories of a directory, one after the other."""
    for directory in os.scandir(root):
        _read_directory(directory.path)


def read_tree_by_8(root: Path) -> None:
    """The same with 8 threads, a directory each."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(_read_directory, [directory.path for directory in os.scandir(root)]))


def read_file(path: Path) -> None:
    """Read a file from its beginning to its end."""
    with path.open("rb", buffering=0) as file:
        while file.read(_BLOCK):
            pass


def read_randomly(path: Path, times: int) -> None:
    """Read 4 KiB at so many places of a file, the same in every run."""
    chance = random.Random(4)
    pages = path.stat().st_size // _PAGE
    with path.open("rb", buffering=0) as file:
        for _ in range(times):
            os.pread(file.fileno(), _PAGE, chance.randrange(pages) * _PAGE)


def _read_directory(directory: str) -> None:
    for file in [entry.path for entry in os.scandir(directory)]:
        descriptor = os.open(file, os.O_RDONLY)
        while os.read(descriptor, _BLOCK):
            pass
        os.close(descriptor)
