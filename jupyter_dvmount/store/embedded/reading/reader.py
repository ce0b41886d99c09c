"""Reads one finished commit."""

from __future__ import annotations

import io
import threading
from bisect import bisect_left
from collections.abc import Iterator
from typing import BinaryIO, cast

from typing_extensions import Buffer

from jupyter_dvmount.store.embedded.packs.chunking import SMALL
from jupyter_dvmount.store.embedded.packs.codec import HASH_BYTES
from jupyter_dvmount.store.embedded.trees.fingerprint import fingerprint
from jupyter_dvmount.store.embedded.trees.tree import (
    DIRECTORY,
    Item,
    Node,
    below,
    children_prefix,
    find,
    key_of,
    path_of,
    scan,
    usage,
)
from jupyter_dvmount.store.errors import Corrupt, Invalid, NotFound, Unavailable
from jupyter_dvmount.store.model import Block, Commit, FileInfo
from jupyter_dvmount.store.protocol import Progress
from jupyter_dvmount.store.stream import FileStream
from jupyter_dvmount.store.uri import check_limit

from .chunks import ChunkSource
from .nodes import NodeSource

_STREAM_BUFFER = 1 << 20
_INDEX_BITS = 20  # of a number; the rest counts leaves


class _Numbers:
    """Numbers for entries: the leaf, in the order in which leaves were met, and the place in it. Thread-safe.

    A leaf is known by its last key, which costs about a byte for each of its entries.
    """

    def __init__(self) -> None:
        self._leaves: list[str] = []
        self._known: dict[str, int] = {}
        self._lock = threading.Lock()

    def first(self, leaf: Node) -> int:
        """The number of a leaf's first entry."""
        last = leaf.keys[-1]
        known = self._known.get(last)
        if known is None:
            with self._lock:
                known = self._known.get(last)
                if known is None:
                    _check_leaf(leaf)
                    self._leaves.append(last)
                    known = self._known[last] = len(self._leaves) << _INDEX_BITS
        return known

    def find(self, number: int) -> tuple[str, int]:
        """(last key of the leaf, place in it)."""
        leaf = number >> _INDEX_BITS
        if not 0 < leaf <= len(self._leaves):
            raise _unnumbered(number)
        return self._leaves[leaf - 1], number & ((1 << _INDEX_BITS) - 1)


class Reader:
    """A `CommitReader`. Thread-safe.

    Parameters
    ----------
    commit, root
        The commit and its tree.
    nodes, chunks
        Where nodes and contents come from.
    """

    def __init__(self, commit: Commit, root: bytes | None, nodes: NodeSource, chunks: ChunkSource) -> None:
        self.commit = commit
        self.root = root
        self._nodes = nodes
        self._load = nodes.load
        self._chunks = chunks
        self._numbers = _Numbers()

    def lookup(self, path: str) -> FileInfo | None:
        """The entry at ``path``, or None."""
        path = _normal(path)
        if path == "/":
            return FileInfo(path="/", type="dir", commit=self.commit.id)
        item = find(self._load, self.root, key_of(path))
        return None if item is None else file_info(path, item, self.commit.id)

    def list(self, path: str = "/", *, after: str = "", limit: int | None = None) -> Iterator[FileInfo]:
        """Entries of one directory by name, from the first name greater than ``after``."""
        check_limit(limit)
        path = self._directory(path)
        prefix = children_prefix(path)
        low = f"{prefix}{after}\0" if after else prefix
        return self._entries(low, prefix[:-1] + "\1", limit)

    def walk(self, path: str = "/") -> Iterator[FileInfo]:
        """Everything below ``path``; a directory comes before what is in it."""
        return self._entries(*below(self._directory(path)), None)

    def usage(self, path: str = "/") -> tuple[int, int]:
        """(files, bytes) at and below ``path``."""
        info = self._existing(path)
        return (1, info.size) if info.type == "file" else usage(self._load, self.root, *below(info.path))

    def fingerprint(self, path: str = "/") -> str:
        """64 hex digits that are equal exactly if ``path`` and all that is there are."""
        info = self._existing(path)
        if info.type == "file":
            return info.hash
        return fingerprint(self._load, self.root, *below(info.path)).hex()

    def prefetch(self, progress: Progress | None = None) -> None:
        """Bring the tree to the local disk, if the store is elsewhere."""
        self._nodes.prefetch(self.root, progress)

    def readinto(self, file: FileInfo, buffer: Buffer, offset: int = 0) -> int:
        """Fill ``buffer`` from byte ``offset`` of the file; returns the bytes read."""
        if file.type != "file":
            raise Invalid(f"{file.path} is a directory", fix="name a file")
        if offset < 0:
            raise Invalid(f"negative offset {offset}", fix="read from 0 on")
        target = memoryview(buffer).cast("B")
        count = min(len(target), file.size - offset)
        if count <= 0:
            return 0
        done = 0
        for part in self.parts(file, offset, count):
            target[done : done + len(part)] = part
            done += len(part)
        return count

    def parts(self, file: FileInfo, offset: int, length: int) -> Iterator[memoryview]:
        """The bytes that `readinto` would give, in pieces that are not copied and must not be changed."""
        stop = min(offset + length, file.size)
        if offset >= stop:
            return
        hash_ = bytes.fromhex(file.hash)
        if file.size <= SMALL:
            data = self._chunks.data(hash_)
            _check_size(file, len(data))
            yield memoryview(data)[offset:stop]
            return
        chunks = self._chunks.chunk_map(hash_)
        _check_size(file, chunks.ends[-1])
        index, start = chunks.find(offset)
        left = stop - offset
        while left:
            part = memoryview(self._chunks.data(chunks.list.chunk(index)))[start : start + left]
            left -= len(part)
            index, start = index + 1, 0
            yield part

    def open(self, path: str) -> BinaryIO:
        """The file as a seekable, read-only binary stream."""
        info = self._existing(path)
        if info.type != "file":
            raise Invalid(f"{info.path} is a directory", fix="name a file, or list the directory")
        return cast(
            BinaryIO, io.BufferedReader(FileStream(self, info), min(_STREAM_BUFFER, max(info.size, 1)))
        )

    def number(self, path: str) -> int | None:
        """The number of the entry at ``path``, or None."""
        path = _normal(path)
        if path == "/":
            return 0
        key = key_of(path)
        leaf = self._leaf(key)
        if leaf is None:
            return None
        index = bisect_left(leaf.keys, key)
        return self._numbers.first(leaf) + index if leaf.keys[index] == key else None

    def numbered(self, number: int) -> FileInfo:
        """The entry with a number that this reader has given."""
        if number == 0:
            return FileInfo(path="/", type="dir", commit=self.commit.id)
        key, index = self._numbers.find(number)
        leaf = self._leaf(key)
        if leaf is None or index >= len(leaf.keys):
            raise _unnumbered(number)
        item = Item(leaf.sizes[index], leaf.hash(index))
        return file_info(path_of(leaf.keys[index]), item, self.commit.id)

    def prepare(self, number: int, count: int, room: int) -> None:
        """Have the contents of small files at hand for a while."""
        key, index = self._numbers.find(number)
        leaf = self._leaf(key)
        if leaf is None:
            return
        hashes = []
        for place in range(index, min(index + count, len(leaf.keys))):
            size = leaf.sizes[place]
            if 0 < size <= min(SMALL, room):
                room -= size
                hashes.append(leaf.hash(place))
        self._chunks.prepare(hashes)

    def blocks(self, path: str = "/") -> Iterator[Block]:
        """What `list` gives, in columns."""
        prefix = children_prefix(self._directory(path))
        cut = len(prefix)
        for leaf, start, stop in scan(self._load, self.root, prefix, prefix[:-1] + "\1"):
            names = [key[cut:] for key in leaf.keys[start:stop]]
            yield Block(self._numbers.first(leaf) + start, names, leaf.sizes[start:stop])

    def _leaf(self, key: str) -> Node | None:
        """The leaf in which an entry with this key would be."""
        node = None if self.root is None else self._load(self.root)
        while node is not None:
            if not node.keys or node.keys[-1] < key:
                return None
            if node.level == 0:
                return node
            node = self._load(node.hash(bisect_left(node.keys, key)))
        return None

    def _existing(self, path: str) -> FileInfo:
        info = self.lookup(path)
        if info is None:
            raise NotFound(
                f"no file or directory {_normal(path)} in {self.commit.repo}@{self.commit.id}",
                fix="list its directory to see what is there",
            )
        return info

    def _directory(self, path: str) -> str:
        info = self._existing(path)
        if info.type != "dir":
            raise Invalid(f"{info.path} is a file", fix="name a directory")
        return info.path

    def _entries(self, low: str, high: str, limit: int | None) -> Iterator[FileInfo]:
        left = limit
        for leaf, start, stop in scan(self._load, self.root, low, high):
            end = stop if left is None else min(stop, start + left)
            yield from _file_infos(leaf, start, end, self.commit.id)
            if left is not None:
                left -= end - start
                if not left:
                    return


def _file_infos(leaf: Node, start: int, stop: int, commit: str) -> list[FileInfo]:
    """`file_info` of neighbours in a leaf, without a step for each."""
    paths = [path_of(key) for key in leaf.keys[start:stop]]
    digits = leaf.hashes[HASH_BYTES * start : HASH_BYTES * stop].hex()
    return [
        FileInfo(path=path, type="dir", commit=commit)
        if size == DIRECTORY
        else FileInfo(path=path, type="file", size=size, hash=digits[at : at + 2 * HASH_BYTES], commit=commit)
        for path, size, at in zip(
            paths, leaf.sizes[start:stop], range(0, len(digits), 2 * HASH_BYTES), strict=True
        )
    ]


def file_info(path: str, item: Item, commit: str) -> FileInfo:
    """The record of one entry."""
    if item.is_directory:
        return FileInfo(path=path, type="dir", commit=commit)
    return FileInfo(path=path, type="file", size=item.size, hash=item.hash.hex(), commit=commit)


def _normal(path: str) -> str:
    """A path with one slash in front and none behind; one that cannot exist simply is not found."""
    return "/" + path.strip("/")


def _unnumbered(number: int) -> Invalid:
    return Invalid(f"no entry has number {number}", fix="ask for numbers that this reader has given")


def _check_leaf(leaf: Node) -> None:
    if len(leaf.keys) >> _INDEX_BITS:  # leaves have some 256 entries, unless somebody has sought such names
        raise Unavailable("a node of the tree is too large to be numbered", fix="rename some of its files")


def _check_size(file: FileInfo, size: int) -> None:
    if size != file.size:
        raise Corrupt(
            f"{file.path} has {size} bytes stored, not {file.size}", fix="run 'dvmount fsck --full'"
        )
