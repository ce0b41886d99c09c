"""What changed between two commits, whatever they are."""

from __future__ import annotations

import pytest

from jupyter_dvmount.store import NotFound, VersionStore
from jupyter_dvmount.store.embedded.trees import difference as engine


def put(store: VersionStore, *paths: str, delete: tuple[str, ...] = ()) -> str:
    with store.modify("images", "master") as writer:
        for path in delete:
            writer.delete(path)
        for path in paths:
            writer.put(path, path.encode())
    return writer.commit.id


def shallow(store: VersionStore, path: str = "/", other: str | None = None) -> list[tuple[str, str]]:
    entries = store.diff("images", "master", "images" if other else None, other, path=path, shallow=True)
    return [(entry.path, entry.change) for entry in entries]


def test_a_shallow_difference_shows_a_directory_that_one_side_lacks_once(store: VersionStore) -> None:
    put(store, "/kept/a", "/kept/old/b", "/gone/a", "/gone/b/c", "/a!/x", "/a/x")
    put(store, "/kept/c", "/kept/new/d/e", "/new/a", "/new/b/c", delete=("/gone", "/kept/old", "/a!", "/a"))
    assert shallow(store) == [
        ("/a", "deleted"),
        ("/a!", "deleted"),
        ("/gone", "deleted"),
        ("/new", "added"),
        ("/kept/c", "added"),
        ("/kept/new", "added"),
        ("/kept/old", "deleted"),
    ]
    assert shallow(store, "/kept/new") == [("/kept/new", "added")]
    assert shallow(store, "/kept") == [entry for entry in shallow(store) if entry[0].startswith("/kept/")]
    with pytest.raises(NotFound):
        shallow(store, "/none")


def test_a_file_that_becomes_a_directory_is_one_entry_of_a_shallow_difference(store: VersionStore) -> None:
    put(store, "/a", "/b/c")
    put(store, "/a/b", "/a/c", "/b", delete=("/a", "/b"))
    assert shallow(store) == [("/a", "changed"), ("/b", "changed")]


def test_a_shallow_difference_does_not_visit_what_it_leaves_out(
    store: VersionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = put(store, "/x")
    put(store, *(f"/large/{number:05}" for number in range(5_000)), "/z/a")
    visited: list[str] = []

    def count(*args):
        for one in engine.difference(*args):
            visited.append(one.key)
            yield one

    monkeypatch.setattr("jupyter_dvmount.store.embedded.reading.comparing.difference", count)
    assert shallow(store, other=first) == [("/large", "added"), ("/z", "added")]
    assert len(visited) < 10


def test_any_commit_is_compared_with_any_other(store: VersionStore) -> None:
    first, second, third = put(store, "/a"), put(store, "/b"), put(store, "/c", delete=("/a",))
    changes = {
        (new, old): [(e.change, e.path) for e in store.diff("images", new, "images", old)]
        for new, old in ((third, first), (first, third), (second, second))
    }
    assert changes == {
        (third, first): [("deleted", "/a"), ("added", "/b"), ("added", "/c")],
        (first, third): [("added", "/a"), ("deleted", "/b"), ("deleted", "/c")],
        (second, second): [],
    }
