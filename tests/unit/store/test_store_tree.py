"""The range tree: its shape depends on what is in it, and reading it is exact."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_dvmount.store.embedded.trees import tree
from jupyter_dvmount.store.embedded.trees.difference import difference
from jupyter_dvmount.store.embedded.trees.edit import edit
from jupyter_dvmount.store.embedded.trees.fingerprint import fingerprint
from jupyter_dvmount.store.embedded.trees.staging import NodeStage, Staging
from jupyter_dvmount.store.embedded.trees.tree import (
    Item,
    Node,
    below,
    checked_node,
    encode_node,
    find,
    key_of,
    scan,
    usage,
)
from jupyter_dvmount.store.errors import Corrupt

KEYS = st.builds("/{}/\0{}".format, st.sampled_from("abc"), st.integers(0, 60))
ITEMS = st.builds(Item, st.integers(0, 5), st.sampled_from([bytes([n]) * 32 for n in range(3)]), st.just(0))
TREES = st.dictionaries(KEYS, ITEMS, max_size=80)


@pytest.fixture(autouse=True)
def small_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes of a few entries, so that small trees have many levels."""
    monkeypatch.setattr(tree, "LEAF_BITS", 2)
    monkeypatch.setattr(tree, "LEVEL_BITS", 1)


def no_node(hash_: bytes) -> Node:
    raise AssertionError(f"node {hash_.hex()} is not there")


def built(items: dict[str, Item]) -> tuple[NodeStage, bytes | None]:
    stage = NodeStage(no_node)
    return stage, edit(stage, None, items)


@given(TREES, st.lists(st.dictionaries(KEYS, st.none() | ITEMS, max_size=20), max_size=6))
@settings(deadline=None)
def test_the_root_depends_on_the_contents_and_not_on_the_history(start, edits) -> None:
    stage, root = built(start)
    contents = dict(start)
    for change in edits:
        root = edit(stage, root, change)
        contents.update(change)
        contents = {key: item for key, item in contents.items() if item is not None}
        assert root == built(contents)[1]


@given(TREES, KEYS, KEYS)
@settings(deadline=None)
def test_ranges_and_sums_are_exact(items, one, other) -> None:
    low, high = min(one, other), max(one, other)
    stage, root = built(items)
    inside = sorted(key for key in items if low <= key < high)
    assert [key for leaf, a, b in scan(stage.load, root, low, high) for key in leaf.keys[a:b]] == inside
    assert usage(stage.load, root, low, high) == (len(inside), sum(items[key].size for key in inside))
    assert find(stage.load, root, one) == items.get(one)


@given(TREES, TREES, st.sampled_from(["/", "/a", "/b", "/nothing"]))
@settings(deadline=None)
def test_a_difference_names_every_key_that_differs_and_no_other(old, new, path) -> None:
    stage, before = built(old)
    after = edit(stage, None, new)
    low, high = below(path)
    found = {d.key: (d.old, d.new) for d in difference(stage.load, before, after, low, high)}
    assert found == {
        key: (old.get(key), new.get(key))
        for key in old.keys() | new.keys()
        if low <= key < high and old.get(key) != new.get(key)
    }


def test_a_difference_does_not_visit_what_two_trees_share() -> None:
    items = {f"/d/\0{number:05}": Item(1, bytes(32)) for number in range(4000)}
    stage, before = built(items)
    after = edit(stage, before, {"/d/\0" + "02000": Item(2, bytes(32))})
    visited: set[bytes] = set()

    def load(hash_: bytes) -> Node:
        visited.add(hash_)
        return stage.load(hash_)

    assert [d.key for d in difference(load, before, after)] == ["/d/\0" + "02000"]
    assert len(visited) < 60


def test_one_change_in_a_large_tree_rewrites_one_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    items = {f"/{n // 1000}/\0{n:06}": Item(1, n.to_bytes(32, "big")) for n in range(100_000)}
    stage, root = built(items)
    over = NodeStage(stage.load)
    changed = edit(over, root, {"/50/\0new": Item(1, bytes(32))})
    assert changed != root
    fresh = over.needed_by(changed)
    assert len(fresh) <= 3
    assert sum(map(len, fresh.values())) < 120_000


def test_an_edit_that_changes_nothing_makes_no_node() -> None:
    items = {f"/a/\0{n}": Item(n, bytes(32)) for n in range(100)}
    stage, root = built(items)
    over = NodeStage(stage.load)
    assert edit(over, root, {"/a/\0" + "7": Item(7, bytes(32)), "/a/\0none": None}) == root


def test_children_of_a_directory_are_one_range_whatever_their_names() -> None:
    paths = ["/a", "/a/b", "/a/b/c", "/a/b!", "/a/b0", "/a b", "/a0", "/b", "/a/\U0010ffff"]
    items = {key_of(path): Item(1, bytes(32)) for path in paths}
    stage, root = built(items)
    low, high = below("/a")
    found = [tree.path_of(k) for leaf, x, y in scan(stage.load, root, low, high) for k in leaf.keys[x:y]]
    assert sorted(found) == sorted(path for path in paths if path.startswith("/a/"))
    assert all(tree.path_of(key_of(path)) == path for path in paths)


def test_directories_come_with_their_first_file_and_go_with_their_last() -> None:
    staging = Staging(no_node, None)
    staging.set_file("/a/b/c", Item(1, bytes(32)))
    staging.set_file("/x", Item(1, bytes(32)))
    staging.flush()
    assert staging.get("/a")
    assert staging.get("/a/b")
    staging.remove("/a/b/c")
    staging.flush()
    assert staging.get("/a") is None
    assert staging.get("/x")


def test_a_directory_emptied_in_the_same_block_gives_way_to_a_file() -> None:
    staging = Staging(no_node, None)
    staging.set_file("/a/b", Item(1, bytes(32)))
    staging.remove("/a/b")
    staging.set_file("/a", Item(2, bytes(32)))
    only = Staging(no_node, None)
    only.set_file("/a", Item(2, bytes(32)))
    assert staging.flush() == only.flush()


def inside(items: dict[str, Item], low: str, high: str) -> dict[str, Item]:
    return {key: item for key, item in items.items() if low <= key < high}


@given(TREES, TREES, st.sampled_from(["/", "/a", "/b", "/nothing"]), st.booleans())
@settings(deadline=None, max_examples=300)
def test_a_directory_has_the_same_fingerprint_exactly_if_it_has_the_same_contents(
    one, other, path, same
) -> None:
    low, high = below(path)
    if same:  # whatever is around it
        other = {key: item for key, item in other.items() if not low <= key < high} | inside(one, low, high)
    left, right = built(one), built(other)
    equal = inside(one, low, high) == inside(other, low, high)
    assert (
        fingerprint(left[0].load, left[1], low, high) == fingerprint(right[0].load, right[1], low, high)
    ) is equal


def test_a_fingerprint_does_not_visit_everything() -> None:
    stage, root = built({key_of(f"/d/{number:05d}"): Item(1, bytes(31) + b"1") for number in range(5000)})
    loaded = set()

    def load(hash_: bytes) -> Node:
        loaded.add(hash_)
        return stage.load(hash_)

    fingerprint(load, root, *below("/d"))
    assert len(loaded) < 100


HONEST = ["/\0a", "/\0...", "/\0..a", "/a/\0b", "/a/.b/\0c.", "/\0n\u00e4\U0001f389"]
HOSTILE = [
    "/\0..", "/\0.", "/\0", "/../\0a", "/a/../\0b", "/a/./\0b", "//\0a", "/a//\0b", "/\0a/b", "/a/\0../b",
    "a/\0b", "\0b", "/ab", "/a\0b", "/\0a\0b", "/a/\0b\0", "/\0a\nb", "", "/..\0", "/a/\0b\n/c/\0d",
]  # fmt: skip


def node_with(keys: list[str]) -> bytes:
    return encode_node(Node(0, keys, [], [1] * len(keys), bytes(32) * len(keys)))[1]


@pytest.mark.parametrize("key", HOSTILE)
def test_a_node_whose_paths_would_lead_elsewhere_is_refused(key: str) -> None:
    for keys in ([key], [*HONEST, key], [key, *HONEST]):
        with pytest.raises(Corrupt):
            checked_node(node_with(keys))


def test_a_node_with_any_path_that_can_be_put_is_read() -> None:
    for keys in ([], HONEST, *([key] for key in HONEST)):
        assert checked_node(node_with(keys)).keys == keys


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\xff", encode_node(Node(0, ["/\0a"], [], [], b""))[1]])
def test_what_is_no_node_is_corrupt_and_no_crash(data: bytes) -> None:
    with pytest.raises(Corrupt):
        checked_node(data)
