"""The content of a directory as one hash, without visiting everything in it.

Where a node of the range tree ends depends on the key there alone. So a node that both begins and ends at
such a place within a directory is the same node in every tree with the same entries there, and its hash
stands for them. What is left over at both ends of the directory, where nodes may reach beyond it, is taken
level by level, and at last entry by entry.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from blake3 import blake3

from .tree import Load, Node, ends_node

_CONTEXT = "jupyter-dvmount 2026 directory v1"


def fingerprint(load: Load, root: bytes | None, low: str, high: str) -> bytes:
    """Hash of the entries with keys in [low, high), equal exactly if they are; visits two paths down."""
    hasher = blake3(derive_key_context=_CONTEXT)
    if root is not None:
        for part in _parts(load, load(root), low, high, first=True):
            hasher.update(part)
    return hasher.digest()


def _parts(load: Load, node: Node, low: str, high: str, *, first: bool) -> Iterator[bytes]:
    """What a node has in the range; ``first`` if no node of its level before it has anything there."""
    if node.level == 0:
        yield b"".join(_entries(node, bisect_left(node.keys, low), bisect_left(node.keys, high)))
        return
    start = bisect_left(node.keys, low)
    for index in range(start, min(bisect_left(node.keys, high) + 1, len(node.keys))):
        opening = first and index == start
        key, level = node.keys[index], node.level - 1
        if not opening and key < high and ends_node(key, level):
            yield b"n" + level.to_bytes(1, "little") + node.hash(index)
        else:
            yield from _parts(load, load(node.hash(index)), low, high, first=opening)


def _entries(leaf: Node, start: int, stop: int) -> Iterator[bytes]:
    for index in range(start, stop):
        key = leaf.keys[index].encode()
        size = leaf.sizes[index].to_bytes(8, "little", signed=True)
        yield b"e" + len(key).to_bytes(4, "little") + key + size + leaf.hash(index)
