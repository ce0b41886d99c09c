"""Trees of files to put, and to compare with what is mounted."""

from __future__ import annotations

import os
import random
from pathlib import Path


def random_tree(seed: int = 1) -> dict[str, bytes]:
    """Files of all sizes that matter, with the names that break programs."""
    chance = random.Random(seed)
    sizes = [0, 1, 511, 4095, 4096, 4097, 20_480, 131_072, 262_144, 262_145, 1_048_577, 3_000_000]
    tree = {f"/data/{size:08}.bin": chance.randbytes(size) for size in sizes}
    names = [
        "with space", " leading", "trailing ", "ünï©ode-日本語", "e\u0301 decomposed", "é composed", "🎉",
        "-rf", "--", "quote'\"s", "back\\slash", "semi;colon&$(x)`y`", "*?[a-z]{b,c}", "%20%2F", "~", "...",
        "n" * 255, "é" * 127, "a:b|c<d>", "@at", "#hash",
    ]  # fmt: skip
    tree |= {f"/names/{name}": name.encode() for name in names}
    tree |= {f"/names in/{name}/inner": b"x" for name in names[:8]}
    tree |= {"/" + "/".join(f"d{level}" for level in range(40)) + "/deep": b"deep"}
    tree |= {f"/many/{number:04}": str(number).encode() for number in range(1500)}
    return tree


def files_below(directory: Path) -> dict[str, bytes]:
    """Every file below a directory, by its path as the store names it."""
    found = {}
    for place, _, names in os.walk(directory):
        for name in names:
            path = Path(place) / name
            found["/" + str(path.relative_to(directory))] = path.read_bytes()
    return found
