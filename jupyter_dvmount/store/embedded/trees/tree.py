"""The range tree of a commit: its nodes, and reading them (``docs/format.md``, trees).

A history-independent search tree in the manner of a prolly tree: where a node ends depends on the key
there and on nothing else.
"""

from __future__ import annotations

import re
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from jupyter_dvmount.store.embedded.packs.codec import HASH_BYTES, Kind, digest
from jupyter_dvmount.store.errors import Corrupt

LEAF_BITS, LEVEL_BITS = 8, 7
DIRECTORY = -1
"""Size of an entry that is a directory."""
NO_HASH = bytes(HASH_BYTES)


class Node(msgspec.Struct, frozen=True, array_like=True):
    """A node; its columns are described in the format."""

    level: int
    keys: list[str]
    files: list[int]
    sizes: list[int]
    hashes: bytes

    def hash(self, index: int) -> bytes:
        """Hash of an entry or a child."""
        return self.hashes[index * HASH_BYTES : (index + 1) * HASH_BYTES]

    def items(self) -> Iterator[tuple[str, Item]]:
        """Keys with their entries or references."""
        files = self.files or [0] * len(self.keys)
        for index, key in enumerate(self.keys):
            yield key, Item(self.sizes[index], self.hash(index), files[index])


class Item(NamedTuple):
    """What a node says of one key: a file or directory in a leaf, a child above.

    ``files`` counts the files below a child and is 0 in a leaf.
    """

    size: int
    hash: bytes
    files: int = 0

    @property
    def is_directory(self) -> bool:
        """Whether this is a leaf's entry for a directory."""
        return self.size == DIRECTORY


DIRECTORY_ITEM = Item(DIRECTORY, NO_HASH)
Load = Callable[[bytes], Node]
"""Gives the node with a hash."""

_ILLEGAL = ("//", "/./", "/../", "\0\n", "\0.\n", "\0..\n")
_SLASH_IN_NAME = re.compile(r"\0[^\n/]*/")
_FIX = "run 'dvmount fsck --full'"
_decoder = msgspec.msgpack.Decoder(Node)
_encoder = msgspec.msgpack.Encoder()


def decode_node(data: bytes) -> Node:
    """A node from its chunk."""
    return _decoder.decode(data)


def checked_node(data: bytes) -> Node:
    """A node that somebody else may have written.

    Raises
    ------
    Corrupt
        If it is none, or names what no file can be called: such a path would lead out of the directory that
        a commit is copied to.
    """
    try:
        node = decode_node(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"a node of the tree cannot be read: {error}", fix=_FIX) from error
    count = len(node.keys)
    if len(node.sizes) != count or len(node.hashes) != count * HASH_BYTES:
        raise Corrupt("a node of the tree has columns of different lengths", fix=_FIX)
    if not _are_legal(node.keys):
        raise Corrupt("a node of the tree has paths that no file can have", fix=_FIX)
    return node


def _are_legal(keys: list[str]) -> bool:
    """Whether keys are what `key_of` makes of normal paths; looks at all of them at once, which is quick."""
    text = "\n" + "\n".join(keys) + "\n"
    return (
        text.count("\n") == len(keys) + (1 if keys else 2)
        and text.count("\n/") == text.count("\0") == text.count("/\0") == len(keys)
        and not any(part in text for part in _ILLEGAL)
        and _SLASH_IN_NAME.search(text) is None
    )


def encode_node(node: Node) -> tuple[bytes, bytes]:
    """(hash, chunk) of a node."""
    data = _encoder.encode(node)
    return digest(Kind.META, data), data


def key_of(path: str) -> str:
    """Key of an absolute path (not of the root, which has no entry)."""
    parent, _, name = path.rpartition("/")
    return f"{parent}/\0{name}"


def path_of(key: str) -> str:
    """Path of a key."""
    return key.replace("/\0", "/", 1)


def children_prefix(path: str) -> str:
    """Prefix of the keys of a directory's own children."""
    return "/\0" if path == "/" else f"{path}/\0"


def below(path: str) -> tuple[str, str]:
    """Range [low, high) of the keys of everything below a directory."""
    base = "" if path == "/" else path
    return f"{base}/", f"{base}0"  # "0" is the character after "/"


def ends_node(key: str, level: int) -> bool:
    """Whether a node of ``level`` ends after ``key``."""
    mask = (1 << (LEAF_BITS + LEVEL_BITS * level)) - 1
    return not zlib.crc32(key.encode()) & mask


class Cursor:
    """Walks a tree from left to right, a whole subtree at a time where that is enough.

    It stands on an item: an entry of a leaf, or a reference to a child that may be entered or skipped.
    """

    def __init__(self, load: Load, root: bytes | None) -> None:
        self._load = load
        self._stack: list[tuple[Node, int]] = []
        if root is not None:
            node = load(root)
            if node.keys:
                self._stack.append((node, 0))

    @property
    def here(self) -> tuple[Node, int] | None:
        """The node and the index in it, or None at the end."""
        return self._stack[-1] if self._stack else None

    def enter(self) -> None:
        """Go down into the child."""
        node, index = self._stack[-1]
        self._stack.append((self._load(node.hash(index)), 0))

    def skip(self, count: int = 1) -> None:
        """Go past the next ``count`` items of this node."""
        while self._stack:
            node, index = self._stack.pop()
            if index + count < len(node.keys):
                self._stack.append((node, index + count))
                return
            count = 1

    def seek(self, key: str) -> None:
        """From a new cursor: go to the first entry with a key not less than ``key``."""
        while self._stack:
            node, _ = self._stack.pop()
            index = bisect_left(node.keys, key)
            if index == len(node.keys):
                self._stack.append((node, index - 1))
                self.skip()
                return
            self._stack.append((node, index))
            if node.level == 0:
                return
            self.enter()

    def to_leaf(self) -> tuple[Node, int] | None:
        """Go down to the next entry; the leaf and the index in it, or None at the end."""
        while self._stack and self._stack[-1][0].level:
            self.enter()
        return self.here


def find(load: Load, root: bytes | None, key: str) -> Item | None:
    """The entry with a key."""
    while root is not None:
        node = load(root)
        index = bisect_left(node.keys, key)
        if index == len(node.keys):
            return None
        if node.level == 0:
            return Item(node.sizes[index], node.hash(index)) if node.keys[index] == key else None
        root = node.hash(index)
    return None


def scan(load: Load, root: bytes | None, low: str, high: str) -> Iterator[tuple[Node, int, int]]:
    """Entries with keys in [low, high), as (leaf, start, stop)."""
    cursor = Cursor(load, root)
    cursor.seek(low)
    while (place := cursor.to_leaf()) is not None:
        leaf, start = place
        stop = len(leaf.keys) if leaf.keys[-1] < high else bisect_left(leaf.keys, high, start)
        if start < stop:
            yield leaf, start, stop
        if stop < len(leaf.keys):
            return
        cursor.skip(stop - start)


def totals(node: Node) -> tuple[int, int]:
    """(files, bytes) below a node."""
    if node.level:
        return sum(node.files), sum(node.sizes)
    sizes = [size for size in node.sizes if size != DIRECTORY]
    return len(sizes), sum(sizes)


def usage(load: Load, root: bytes | None, low: str, high: str) -> tuple[int, int]:
    """(files, bytes) of the entries with keys in [low, high); visits two paths down the tree."""
    if root is None:
        return 0, 0
    node = load(root)
    start, stop = bisect_left(node.keys, low), bisect_left(node.keys, high)
    if node.level == 0:
        sizes = [size for size in node.sizes[start:stop] if size != DIRECTORY]
        return len(sizes), sum(sizes)
    files = size = 0
    # The first child may begin before low, the last one end after high; those between lie within.
    for index in range(start, min(stop + 1, len(node.keys))):
        if start < index < stop:
            files, size = files + node.files[index], size + node.sizes[index]
        else:
            more = usage(load, node.hash(index), low, high)
            files, size = files + more[0], size + more[1]
    return files, size
