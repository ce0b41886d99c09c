"""Change a range tree: rewrite only the nodes that an edit touches.

Level by level from the leaves: the edits of one level replace some nodes by others, which is a set of
edits (last keys removed, references added) of the level above.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Protocol

from .tree import Item, Load, Node, ends_node, totals

Edits = Mapping[str, "Item | None"]
"""New items by key; None removes."""


class NodeStore(Protocol):
    """Where an edit reads nodes from and leaves the new ones."""

    def load(self, hash_: bytes) -> Node:
        """The node with a hash."""

    def save(self, node: Node) -> bytes:
        """Keep a node; returns its hash."""


def edit(store: NodeStore, root: bytes | None, edits: Edits) -> bytes | None:
    """Root of the tree after ``edits``; the same hash whatever the way to these contents."""
    top = store.load(root).level if root is not None else -1
    level = 0
    while edits:
        edits = _edit_level(store, root, level, edits)
        if level >= top:
            present = [item for item in edits.values() if item is not None]
            if level == top and not edits:
                return root
            if not present:
                return None
            if len(present) == 1:
                return _lowest(store, present[0].hash)
            root = None  # everything at this level is in the edits now
        level += 1
    return root


def _lowest(store: NodeStore, root: bytes) -> bytes:
    """The first node on the way down that has more than one child."""
    while (node := store.load(root)).level and len(node.keys) == 1:
        root = node.hash(0)
    return root


def _edit_level(store: NodeStore, root: bytes | None, level: int, edits: Edits) -> dict[str, Item | None]:
    """Edit the nodes of one level; returns the edits of the level above."""
    keys = sorted(edits)
    result: dict[str, Item | None] = {}
    done = 0
    builder = _Builder(store, level)
    while done < len(keys):
        node, is_last = _node_at(store.load, root, level, keys[done])
        while True:  # through the nodes that have to be joined
            stop = done
            while stop < len(keys) and (is_last or keys[stop] <= node.keys[-1]):
                stop += 1
            if node.keys:
                result[node.keys[-1]] = None
            for item in _merge(node, {key: edits[key] for key in keys[done:stop]}):
                builder.add(*item)
            done = stop
            if is_last or not builder.open:
                break
            node, is_last = _node_at(store.load, root, level, node.keys[-1] + "\0")
        builder.close()
    result.update(builder.nodes)
    return _without_unchanged(store.load, root, level + 1, result)


def _node_at(load: Load, root: bytes | None, level: int, key: str) -> tuple[Node, bool]:
    """The node of ``level`` that ``key`` belongs to, and whether it is the last one of its level."""
    if root is None:
        return Node(level, [], [], [], b""), True
    node = load(root)
    is_last = True
    while node.level > level:
        index = min(bisect_left(node.keys, key), len(node.keys) - 1)
        is_last = is_last and index == len(node.keys) - 1
        node = load(node.hash(index))
    return node, is_last


def _merge(node: Node, edits: dict[str, Item | None]) -> Iterator[tuple[str, Item]]:
    items: dict[str, Item | None] = dict(node.items())
    items.update(edits)
    for key in sorted(items):
        item = items[key]
        if item is not None:
            yield key, item


def _without_unchanged(
    load: Load, root: bytes | None, level: int, edits: dict[str, Item | None]
) -> dict[str, Item | None]:
    """Leave out the references that the level above has already."""
    if root is None or load(root).level < level:
        return edits
    changed = {}
    for key, item in edits.items():
        node, _ = _node_at(load, root, level, key)
        index = bisect_left(node.keys, key)
        held = node.hash(index) if index < len(node.keys) and node.keys[index] == key else None
        if held != (item and item.hash):
            changed[key] = item
    return changed


class _Builder:
    """Cuts a sequence of items into nodes of one level."""

    def __init__(self, store: NodeStore, level: int) -> None:
        self.nodes: list[tuple[str, Item]] = []
        self._store = store
        self._level = level
        self._keys: list[str] = []
        self._items: list[Item] = []

    @property
    def open(self) -> bool:
        """Whether a node is begun that has not met its end."""
        return bool(self._keys)

    def add(self, key: str, item: Item) -> None:
        """Append one item."""
        self._keys.append(key)
        self._items.append(item)
        if ends_node(key, self._level):
            self.close()

    def close(self) -> None:
        """End the node begun, if any, here."""
        if not self._keys:
            return
        node = Node(
            self._level,
            self._keys,
            [item.files for item in self._items] if self._level else [],
            [item.size for item in self._items],
            b"".join([item.hash for item in self._items]),
        )
        files, size = totals(node)
        self.nodes.append((self._keys[-1], Item(size, self._store.save(node), files)))
        self._keys, self._items = [], []
