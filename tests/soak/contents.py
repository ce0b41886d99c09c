"""Bytes that every process of the soak can make anew, to compare with what it reads."""

from __future__ import annotations

from functools import lru_cache

from blake3 import blake3


@lru_cache(maxsize=256)
def content(seed: str, size: int) -> bytes:
    """``size`` bytes; every other seed's can be compressed."""
    if seed.endswith(("0", "2", "4", "6", "8")):
        line = blake3(seed.encode()).hexdigest().encode() + b"\n"
        return (line * (size // len(line) + 1))[:size]
    return blake3(seed.encode()).digest(length=size)
