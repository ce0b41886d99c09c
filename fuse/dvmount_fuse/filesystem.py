"""The tree that is mounted: ``/<store id>/<repo>@<commit id>/<path in the commit>``. Knows no FUSE binding.

Commits never change, so every name below one may be cached for ever. Which commits and stores exist does
change: a name that is missing on the two levels above must not be remembered as missing.

A node's id says where it is: which commit (the high bits), and the number that the commit's reader has given
its entry. So there is no table of nodes, however many the kernel keeps; only references are counted, commit
by commit, to know when a reader is needed no more.
"""

from __future__ import annotations

import errno
import itertools
import logging
from collections.abc import Iterator
from datetime import datetime, timezone
from hashlib import blake2b
from threading import Lock

import msgspec

from jupyter_dvmount.store import CommitReader, FileInfo, StoreError
from jupyter_dvmount.store.uri import is_commit_id

from .ahead import ROOM, Readers
from .layout import commit_directory, parse_commit_directory
from .stores import Stores

log = logging.getLogger("jupyter_dvmount.fuse")

ERRNO = {
    "not_found": errno.ENOENT,
    "invalid": errno.ENOENT,
    "conflict": errno.ENOENT,  # a commit that is not finished yet
    "denied": errno.EACCES,
    "corrupt": errno.EIO,
    "unavailable": errno.EIO,
}
"""errno by `StoreError.code`; `EIO` for the rest."""

COMMITS = 256
"""Commit readers that are kept though the kernel refers to nothing of theirs."""

ROOT = 1
"""Id of the top directory."""

XATTR = "user.dvmount."

_NUMBER_BITS = 44  # of an id, for the number of an entry; the rest says which commit

_NUMBERS = (1 << _NUMBER_BITS) - 1


class Node(msgspec.Struct, frozen=True, gc=False):
    """What `stat` tells of a name, and what is needed to read it.

    ``inode`` depends on the store, the commit and the path alone; ``mtime`` is in seconds since the epoch.
    ``tree`` is None above the commits, ``file`` also for the entries of a listing.
    """

    id: int
    inode: int
    directory: bool
    size: int
    mtime: int
    tree: Tree | None = None
    file: FileInfo | None = None


class Tree:
    """One commit in the mount; ``base`` is the id of its top directory."""

    __slots__ = ("base", "held", "inode_of", "mtime", "prefix", "reader", "store")

    def __init__(self, store: str, base: int, reader: CommitReader) -> None:
        commit = reader.commit
        self.store = store
        self.base = base
        self.held = 0
        self.reader = reader
        self.prefix = f"/{store}/{commit_directory(commit.repo, commit.id)}"
        finished = commit.finished or datetime.fromtimestamp(0, timezone.utc)
        self.mtime = int(finished.timestamp())
        self.inode_of = blake2b(self.prefix.encode(), digest_size=8)

    def node(self, number: int) -> Node:
        """The node of an entry of this commit."""
        info = self.reader.numbered(number)
        digest = self.inode_of.copy()
        digest.update(info.path.encode())
        return Node(
            self.base | number,
            int.from_bytes(digest.digest(), "little") or 1,
            info.type == "dir",
            info.size if info.type == "file" else 0,
            self.mtime,
            self,
            info,
        )

    def entries(self, path: str) -> Iterator[tuple[bytes, Node]]:
        """Names and nodes of a directory, by name."""
        above = self.inode_of.copy()
        above.update(path.rstrip("/").encode() + b"/")
        mtime, base, number = self.mtime, self.base, int.from_bytes
        for block in self.reader.blocks(path):
            for id_, name, size in zip(itertools.count(base | block.first), block.names, block.sizes):
                encoded = name.encode()
                digest = above.copy()
                digest.update(encoded)
                inode = number(digest.digest(), "little") or 1
                yield encoded, Node(id_, inode, size < 0, max(size, 0), mtime, self)


class FileSystem:
    """Lookups, listings and reads over every finished commit of every known store. Thread-safe.

    Parameters
    ----------
    stores
        Where commits are read from.
    commits
        As `COMMITS`.

    Notes
    -----
    All methods raise `OSError` with the errno that the kernel shall see.
    """

    def __init__(self, stores: Stores, *, commits: int = COMMITS) -> None:
        self._stores = stores
        self._commits = commits
        self._lock = Lock()
        self._trees: dict[tuple[str, str], Tree] = {}
        self._by_slot: dict[int, Tree] = {}
        self._slots = itertools.count(1)
        self._readers = Readers()
        self._above: list[str] = []  # store ids that have been looked up; the first has id 2

    @property
    def open_commits(self) -> int:
        """Number of commits with an open reader."""
        return len(self._trees)

    def tree(self, store: str, directory: str) -> Tree:
        """The commit with this directory name; raises `StoreError` if it cannot be shown."""
        key = (store, directory)
        found = self._trees.get(key)
        if found is not None:
            return found
        parsed = parse_commit_directory(directory)
        if parsed is None or not is_commit_id(parsed[1]):
            raise OSError(errno.ENOENT, "not a commit", directory)
        reader = self._stores.read(store, *parsed)
        with self._lock:
            found = self._trees.get(key)
            if found is None:
                slot = next(self._slots)
                found = Tree(store, slot << _NUMBER_BITS, reader)
                self._trees[key] = self._by_slot[slot] = found
                self._trim()
            return found

    def _trim(self) -> None:
        """Let go of readers that the kernel has no reference to, the oldest first."""
        surplus = len(self._trees) - self._commits
        if surplus <= 0:
            return
        unused = [key for key, tree in self._trees.items() if not tree.held]
        for key in unused[: min(surplus, len(unused) - 1)]:  # the newest is being looked up
            del self._by_slot[self._trees.pop(key).base >> _NUMBER_BITS]

    def hold(self, id_: int, count: int = 1) -> None:
        """The kernel has so many references more to nodes of the commit that this one is of."""
        self._count(id_, count)

    def release(self, id_: int, count: int) -> None:
        """The kernel has so many references less."""
        self._count(id_, -count)

    def _count(self, id_: int, change: int) -> None:
        with self._lock:
            tree = self._by_slot.get(id_ >> _NUMBER_BITS)
            if tree is not None:
                tree.held += change
                if not tree.held:
                    self._trim()

    def node(self, id_: int) -> Node:
        """The node with an id that the kernel has been told."""
        if not is_fixed(id_):
            return self._node_above(id_)
        tree = self._tree_of(id_)
        try:
            return tree.node(id_ & _NUMBERS)
        except StoreError as error:
            raise _os_error(error, tree.prefix) from error

    def _tree_of(self, id_: int) -> Tree:
        tree = self._by_slot.get(id_ >> _NUMBER_BITS)
        if tree is None:
            raise OSError(errno.ESTALE, "forgotten")
        return tree

    def lookup(self, parent: int, name: bytes) -> Node:
        """The node with a name in a directory."""
        above = self.node(parent)
        try:
            text = name.decode()
        except UnicodeDecodeError:  # no such name can be put into a store
            raise OSError(errno.ENOENT, "no such file", name) from None
        if not above.directory:
            raise OSError(errno.ENOTDIR, "not a directory", text)
        try:
            if above.tree is None or above.file is None:
                return self._lookup_above(parent, text)
            path = f"{above.file.path.rstrip('/')}/{text}"
            number = above.tree.reader.number(path)
            if number is None:
                raise OSError(errno.ENOENT, "no such file", path)
            return above.tree.node(number)
        except StoreError as error:
            raise _os_error(error, f"{above.tree.prefix if above.tree else ''}/{text}") from error

    def _lookup_above(self, parent: int, name: str) -> Node:
        if parent != ROOT:
            tree = self.tree(self._store_named(parent), name)
            return tree.node(0)
        self._stores.get(name)
        with self._lock:
            if name not in self._above:
                self._above.append(name)
            return _above(self._above.index(name) + ROOT + 1, f"/{name}")

    def _node_above(self, id_: int) -> Node:
        return _above(id_, "/" if id_ == ROOT else f"/{self._store_named(id_)}")

    def _store_named(self, id_: int) -> str:
        return self._above[id_ - ROOT - 1]

    def entries(self, id_: int) -> Iterator[tuple[bytes, Node]]:
        """Names and nodes of a directory, by name."""
        node = self.node(id_)
        if not node.directory:
            raise OSError(errno.ENOTDIR, "not a directory")
        if node.tree is None or node.file is None:
            yield from self._entries_above(id_)
            return
        try:
            yield from node.tree.entries(node.file.path)
        except StoreError as error:
            raise _os_error(error, node.tree.prefix + node.file.path) from error

    def _entries_above(self, id_: int) -> Iterator[tuple[bytes, Node]]:
        """Known stores, or the commits of one that are in use: a store may have any number of others."""
        if id_ == ROOT:
            names, path = self._stores.known(), ""
        else:
            store = self._store_named(id_)
            path = f"/{store}"
            with self._lock:
                names = [name for at, name in self._trees if at == store]
        for name in sorted(names):
            yield name.encode(), _above(0, f"{path}/{name}")

    def store_of(self, id_: int) -> str:
        """Id of the store that a node is of; nothing for one above the commits, or not known any more."""
        tree = self._by_slot.get(id_ >> _NUMBER_BITS)
        return "" if tree is None else tree.store

    def read(self, id_: int, offset: int, length: int) -> list[memoryview]:
        """``length`` bytes from ``offset`` of a file, fewer only at its end, in pieces."""
        if not is_fixed(id_):
            raise OSError(errno.EISDIR, "is a directory")
        tree = self._tree_of(id_)
        path = tree.prefix
        try:
            file = tree.reader.numbered(id_ & _NUMBERS)
            path += file.path
            if file.type != "file":
                raise OSError(errno.EISDIR, "is a directory", path)
            parts = list(tree.reader.parts(file, offset, length))
        except StoreError as error:
            raise _os_error(error, path) from error
        got, wanted = sum(map(len, parts)), max(min(length, file.size - offset), 0)
        if got != wanted:  # the kernel would fill the rest of the page with zeros: wrong bytes
            log.error("%s: read %d of %d bytes at %d", path, got, wanted, offset)
            raise OSError(errno.EIO, "short read", path)
        return parts

    def read_on(self, id_: int) -> None:
        """Make ready what is likely to be read next, now that a file has been read from its beginning."""
        following = self._readers.next_of(id_)
        if not following:
            return
        tree = self._tree_of(id_)
        try:
            tree.reader.prepare(following.start & _NUMBERS, len(following), ROOM)
        except StoreError as error:  # whoever reads one of them is going to meet it
            log.debug("%s: reading ahead: %s", tree.prefix, error.message)

    def attributes(self, id_: int) -> dict[str, bytes]:
        """Extended attributes: which commit, repository and path a file belongs to, and its hash."""
        node = self.node(id_)
        if node.tree is None or node.file is None:
            return {}
        commit = node.tree.reader.commit
        values = {"commit": commit.id, "repo": commit.repo, "path": node.file.path, "hash": node.file.hash}
        return {XATTR + key: value.encode() for key, value in values.items() if value}


def is_fixed(id_: int) -> bool:
    """Whether a node is of a commit, so that what is in it or missing there can never change."""
    return id_ >> _NUMBER_BITS != 0


def _above(id_: int, path: str) -> Node:
    inode = int.from_bytes(blake2b(path.encode(), digest_size=8).digest(), "little")
    return Node(id_, inode if path != "/" else ROOT, True, 0, 0)


def _os_error(error: StoreError, path: str) -> OSError:
    number = ERRNO.get(error.code, errno.EIO)
    if number != errno.ENOENT:
        log.error("%s: %s: %s", path, error.code, error.message)
    return OSError(number, error.message, path)
