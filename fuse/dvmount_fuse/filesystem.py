"""The tree that is mounted: ``/<store id>/<repo>@<commit id>/<path in the commit>``. Knows no FUSE binding.

Commits never change, so every name below one may be cached for ever. Which commits and stores exist does
change: a name that is missing on the two levels above must not be remembered as missing.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from datetime import datetime, timezone
from hashlib import blake2b

import msgspec
from typing_extensions import Buffer

from jupyter_dvmount.store import CommitReader, FileInfo, StoreError
from jupyter_dvmount.store.uri import is_commit_id

from .layout import commit_directory, parse_commit_directory
from .recent import Recent
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

NODES = 8192
"""Entries kept, of about 0.6 KiB each: enough that a directory listed is read without a second lookup."""

COMMITS = 256
"""Commit readers kept open."""

XATTR = "user.dvmount."


class Node(msgspec.Struct, frozen=True, gc=False):
    """What `stat` tells of a name, and what is needed to read it.

    ``inode`` depends on the store, the commit and the path alone; ``mtime`` is in seconds since the epoch.
    ``tree`` and ``file`` are None above the commits.
    """

    directory: bool
    size: int
    inode: int
    mtime: int
    tree: Tree | None = None
    file: FileInfo | None = None


class Tree:
    """One commit in the mount."""

    __slots__ = ("inode_of", "mtime", "prefix", "reader")

    def __init__(self, store: str, reader: CommitReader) -> None:
        commit = reader.commit
        self.reader = reader
        self.prefix = f"/{store}/{commit_directory(commit.repo, commit.id)}"
        finished = commit.finished or datetime.fromtimestamp(0, timezone.utc)
        self.mtime = int(finished.timestamp())
        self.inode_of = blake2b(self.prefix.encode(), digest_size=8)

    def node(self, info: FileInfo) -> Node:
        """The node of an entry of this commit."""
        digest = self.inode_of.copy()
        digest.update(info.path.encode())
        return Node(
            info.type == "dir",
            info.size if info.type == "file" else 0,
            int.from_bytes(digest.digest(), "little") or 1,
            self.mtime,
            self,
            info,
        )

    def root(self) -> Node:
        """The commit's top directory."""
        return self.node(FileInfo(path="/", type="dir", commit=self.reader.commit.id))


class FileSystem:
    """Lookups, listings and reads over every finished commit of every known store. Thread-safe.

    Parameters
    ----------
    stores
        Where commits are read from.
    nodes, commits
        Bounds of the caches, in entries.

    Notes
    -----
    All methods raise `OSError` with the errno that the kernel shall see.
    """

    def __init__(self, stores: Stores, *, nodes: int = NODES, commits: int = COMMITS) -> None:
        self._stores = stores
        self._nodes: Recent[str, Node] = Recent(nodes)
        self._trees: Recent[tuple[str, str], Tree] = Recent(commits)

    @property
    def open_commits(self) -> int:
        """Number of commits with an open reader."""
        return len(self._trees)

    def tree(self, store: str, directory: str) -> Tree:
        """The commit with this directory name; raises `StoreError` if it cannot be shown."""
        key = (store, directory)
        found = self._trees.get(key)
        if found is None:
            parsed = parse_commit_directory(directory)
            if parsed is None or not is_commit_id(parsed[1]):
                raise OSError(errno.ENOENT, "not a commit", directory)
            found = Tree(store, self._stores.read(store, *parsed))
            self._trees.put(key, found)
        return found

    def node(self, path: str) -> Node:
        """The node at an absolute path of the mount."""
        found = self._nodes.get(path)
        if found is None:
            found = self._lookup(path)
            if found.tree is not None:  # the levels above a commit are cheap and may change
                self._nodes.put(path, found)
        return found

    def _lookup(self, path: str) -> Node:
        try:
            store, directory, inner = _split(path)
            if not directory:
                if store:
                    self._stores.get(store)
                return _above(path)
            tree = self.tree(store, directory)
            if not inner:
                return tree.root()
            info = tree.reader.lookup(inner)
        except StoreError as error:
            raise _os_error(error, path) from error
        if info is None:
            raise OSError(errno.ENOENT, "no such file", path)
        return tree.node(info)

    def entries(self, path: str) -> Iterator[tuple[str, Node]]:
        """Names and nodes of a directory, by name."""
        node = self.node(path)
        if not node.directory:
            raise OSError(errno.ENOTDIR, "not a directory", path)
        try:
            if node.tree is None or node.file is None:
                yield from self._entries_above(path)
                return
            tree, prefix = node.tree, path.rstrip("/") + "/"
            for info in tree.reader.list(node.file.path):
                child, name = tree.node(info), info.name
                self._nodes.put(prefix + name, child)
                yield name, child
        except StoreError as error:
            raise _os_error(error, path) from error

    def _entries_above(self, path: str) -> Iterator[tuple[str, Node]]:
        """Known stores, or the commits of one that are in use: a store may have any number of others."""
        store = path.strip("/")
        if store:
            self.node(path)  # ENOENT for one that is not known
            names = [name for at, name in self._trees.keys() if at == store]  # noqa: SIM118  it is no dict
        else:
            names = self._stores.known()
        for name in sorted(names):
            yield name, _above(f"{path.rstrip('/')}/{name}")

    def read(self, path: str, buffer: Buffer, length: int, offset: int) -> int:
        """Fill ``buffer`` of ``length`` bytes from byte ``offset`` of a file; returns the bytes read."""
        node = self.node(path)
        if node.file is None or node.tree is None or node.directory:
            raise OSError(errno.EISDIR, "is a directory", path)
        wanted = min(length, max(node.size - offset, 0))
        if not wanted:
            return 0
        try:
            got = node.tree.reader.readinto(node.file, buffer, offset)
        except StoreError as error:
            raise _os_error(error, path) from error
        if got < wanted:  # the kernel would fill the rest of the page with zeros: wrong bytes
            log.error("%s: read %d of %d bytes at %d", path, got, wanted, offset)
            raise OSError(errno.EIO, "short read", path)
        return wanted

    def attributes(self, path: str) -> dict[str, bytes]:
        """Extended attributes: which commit, repository and path a file belongs to, and its hash."""
        node = self.node(path)
        if node.tree is None or node.file is None:
            return {}
        commit = node.tree.reader.commit
        values = {"commit": commit.id, "repo": commit.repo, "path": node.file.path, "hash": node.file.hash}
        return {XATTR + key: value.encode() for key, value in values.items() if value}


def is_fixed(path: str) -> bool:
    """Whether a name lies below a commit, so that its presence or absence can never change."""
    return bool(_split(path)[2])


def _split(path: str) -> tuple[str, str, str]:
    """(store id, commit directory, path in the commit or nothing)."""
    store, _, rest = path.lstrip("/").partition("/")
    directory, slash, inner = rest.partition("/")
    return store, directory, slash + inner if inner else ""


def _above(path: str) -> Node:
    inode = int.from_bytes(blake2b(path.encode(), digest_size=8).digest(), "little")
    return Node(True, 0, inode if path != "/" else 1, 0)


def _os_error(error: StoreError, path: str) -> OSError:
    number = ERRNO.get(error.code, errno.EIO)
    if number != errno.ENOENT:
        log.error("%s: %s: %s", path, error.code, error.message)
    return OSError(number, error.message, path)
