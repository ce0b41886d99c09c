"""Changes to the files of one commit before they are written: directories come and go with their files."""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_dvmount.store.embedded.machine.cache import Cache
from jupyter_dvmount.store.errors import Invalid, NotFound

from .edit import edit
from .tree import (
    DIRECTORY_ITEM,
    Item,
    Load,
    Node,
    below,
    children_prefix,
    decode_node,
    encode_node,
    find,
    key_of,
    path_of,
    scan,
)

_MANY = 20_000  # changes that are gathered before the tree is edited
_DECODED = 256  # fresh nodes that are also held decoded
_GARBAGE = 32 << 20  # bytes of fresh nodes before those that later edits replaced are dropped


class NodeStage:
    """Nodes that are not in the store yet, over those that are."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._fresh: dict[bytes, bytes] = {}
        self._decoded: Cache[Node] = Cache(_DECODED)
        self._weight = 0
        self._limit = _GARBAGE

    def load(self, hash_: bytes) -> Node:
        """The node with a hash, from wherever it is."""
        data = self._fresh.get(hash_)
        if data is None:
            return self._load(hash_)
        return self._decoded.get(hash_, lambda _: decode_node(data))

    def save(self, node: Node) -> bytes:
        """Keep a node; returns its hash."""
        hash_, data = encode_node(node)
        self._fresh[hash_] = data
        self._weight += len(data)
        return hash_

    def prune(self, root: bytes | None) -> None:
        """Forget fresh nodes that ``root`` does not need, once there are enough to be worth the walk."""
        if self._weight > self._limit:
            self._fresh = self.needed_by(root)
            self._weight = sum(map(len, self._fresh.values()))
            self._limit = 2 * self._weight + _GARBAGE

    def needed_by(self, root: bytes | None) -> dict[bytes, bytes]:
        """Hash and chunk of the fresh nodes below ``root``, which the store does not have yet."""
        needed: dict[bytes, bytes] = {}
        waiting = [root] if root is not None else []
        while waiting:
            hash_ = waiting.pop()
            data = self._fresh.get(hash_)
            if data is not None and hash_ not in needed:
                needed[hash_] = data
                node = decode_node(data)
                if node.level:
                    waiting.extend(node.hash(index) for index in range(len(node.keys)))
        return needed


class Staging:
    """A tree with changes that are gathered and applied together.

    Parameters
    ----------
    load
        Reads the nodes of the store.
    root
        The tree to start from.
    """

    def __init__(self, load: Load, root: bytes | None) -> None:
        self.nodes = NodeStage(load)
        self._root = root
        self._pending: dict[str, Item | None] = {}
        self._thinned: set[str] = set()
        self._directories = {"/"}

    def get(self, path: str) -> Item | None:
        """The entry of a path; a directory emptied just now may still show."""
        key = key_of(path)
        if key in self._pending:
            return self._pending[key]
        return find(self.nodes.load, self._root, key)

    def check_file(self, path: str) -> None:
        """See that ``path`` can be a file.

        Raises
        ------
        Invalid
            If it is a directory, or one of its parents is a file.
        """
        if path == "/":
            raise Invalid("cannot put a file at /: it is the root directory", fix="name a file below it")
        item = self.get(path)
        if item is not None and item.is_directory:
            self.flush()  # its last file may have been removed just now
            item = self.get(path)
        if item is not None and item.is_directory:
            raise Invalid(
                f"cannot put a file at {path}: it is a directory",
                fix="delete it first, or name a file below it",
            )
        self._missing_parents(path)

    def set_file(self, path: str, item: Item) -> None:
        """Make ``path`` a file, after `check_file`."""
        self.check_file(path)
        for parent in self._missing_parents(path):
            self._put(parent, DIRECTORY_ITEM)
        self._directories.add(_parent(path))
        self._put(path, item)

    def remove_file(self, path: str) -> None:
        """Remove a file that is there."""
        self._put(path, None)
        self._thinned.add(_parent(path))

    def remove(self, path: str) -> bool:
        """Remove a file, or a directory with all below it; returns whether it was a directory.

        Raises
        ------
        NotFound
            If nothing is there.
        """
        item = self.get(path) if path != "/" else DIRECTORY_ITEM
        if item is None or item.is_directory:
            return self._remove_directory(path)
        self.remove_file(path)
        return False

    def files_below(self, path: str) -> Iterable[tuple[str, Item]]:
        """Path and entry of every file below a directory, as it is now."""
        for leaf, start, stop in scan(self.nodes.load, self.flush(), *below(path)):
            for index in range(start, stop):
                item = Item(leaf.sizes[index], leaf.hash(index))
                if not item.is_directory:
                    yield path_of(leaf.keys[index]), item

    def flush(self) -> bytes | None:
        """Apply what was gathered; the root of the tree as it is now."""
        if self._pending:
            self._root = edit(self.nodes, self._root, self._pending)
            self._pending = {}
            self.nodes.prune(self._root)
        while self._thinned:
            self._drop_empty_directories()
        return self._root

    def _put(self, path: str, item: Item | None) -> None:
        self._pending[key_of(path)] = item
        if len(self._pending) >= _MANY:
            self.flush()

    def _missing_parents(self, path: str) -> list[str]:
        """Directories that ``path`` needs and that are not there."""
        missing: list[str] = []
        parent = _parent(path)
        while parent not in self._directories:
            item = self.get(parent)
            if item is not None and item.is_directory:
                break
            if item is not None:
                raise Invalid(
                    f"cannot put {path}: {parent} is a file", fix="delete it first, or choose another path"
                )
            missing.append(parent)
            parent = _parent(parent)
        return missing

    def _remove_directory(self, path: str) -> bool:
        root = self.flush()
        if path != "/" and self.get(path) is None:
            raise NotFound(f"no file or directory {path}", fix="list the directory to see what is there")
        self._directories = {"/"}
        for leaf, start, stop in scan(self.nodes.load, root, *below(path)):
            self._pending.update(dict.fromkeys(leaf.keys[start:stop]))
            if len(self._pending) >= _MANY:
                self.flush()
        if path != "/":
            self._pending[key_of(path)] = None
            self._thinned.add(_parent(path))
        self.flush()
        return True

    def _drop_empty_directories(self) -> None:
        thinned, self._thinned = self._thinned, set()
        gone: dict[str, Item | None] = {}
        for path in thinned - {"/"}:
            prefix = children_prefix(path)
            empty = not any(scan(self.nodes.load, self._root, prefix, prefix[:-1] + "\1"))
            if empty and find(self.nodes.load, self._root, key_of(path)):
                gone[key_of(path)] = None
                self._thinned.add(_parent(path))
                self._directories.discard(path)
        if gone:
            self._root = edit(self.nodes, self._root, gone)


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "/"
