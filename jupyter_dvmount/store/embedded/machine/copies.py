"""What a store that is far away keeps on the local disk, where, and how much of it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_cache_path

from jupyter_dvmount.store.errors import Invalid

from .diskcache import DiskCache

SIZE = "DVMOUNT_CACHE_SIZE"
"""Environment variable with the bytes of each store's cache."""
DEFAULT_SIZE = 10 << 30
_SHARE = 8  # by default no more than one part in this many of the disk
_NODES = 8  # of the cache, one part in this many is for the nodes of trees, which data must not push out
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_SIZE_FORM = re.compile(r"(\d+)\s*([KMGT]?)(?:i?B)?\Z", re.IGNORECASE)


class LocalCopies(NamedTuple):
    """What one store keeps on the local disk of what is elsewhere.

    Parameters
    ----------
    blocks, nodes
        Blocks of packs, and nodes of trees.
    """

    blocks: DiskCache
    nodes: DiskCache

    def size(self) -> int:
        """Bytes that are kept."""
        return self.blocks.size() + self.nodes.size()


def local_copies(store_id: str) -> LocalCopies:
    """The caches of a store, in the user's cache directory.

    Raises
    ------
    Invalid
        If the environment names an illegal size.
    """
    base = _home() / store_id
    limit = _limit(base)
    nodes = limit // _NODES
    return LocalCopies(DiskCache(base / "blocks", limit - nodes), DiskCache(base / "nodes", nodes))


def staging_directory() -> Path:
    """Where packs are written before they are uploaded."""
    return _home() / "staging"


def _home() -> Path:
    return user_cache_path("dvmount").absolute()


def _limit(base: Path) -> int:
    text = os.environ.get(SIZE, "").strip()
    if not text:
        existing = next(place for place in (base, *base.parents) if place.exists())
        return min(DEFAULT_SIZE, shutil.disk_usage(existing).total // _SHARE)
    match = _SIZE_FORM.match(text)
    if match is None:
        raise Invalid(
            f"{SIZE} is {text!r}, which is no size", fix="write bytes, or a number with K, M, G or T"
        )
    return int(match[1]) << _UNITS[match[2].upper()]
