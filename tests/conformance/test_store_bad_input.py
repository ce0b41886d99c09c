"""Bad input is refused with a sentence, and nothing changes."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from jupyter_dvmount.store import Denied, Invalid, NotFound, StoreError, Unavailable, VersionStore


@pytest.fixture
def full(store: VersionStore) -> VersionStore:
    with store.modify("images", "master") as writer:
        writer.put("/a/b", b"1")
    return store


def refuse(store: VersionStore, path: str, source: object) -> StoreError:
    before = store.inspect_branch("images", "master")
    with pytest.raises(StoreError) as caught, store.modify("images", "master") as writer:
        writer.put(path, source)  # type: ignore[arg-type]
    assert store.inspect_branch("images", "master") == before
    assert caught.value.fix
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    "path", ["/", "", "/a/../b", "/a//b", "/a\0", "/a/b/c", "/a", "/x\n", "/" + "n" * 256]
)
def test_a_path_that_cannot_be_is_refused(full: VersionStore, path: str) -> None:
    assert isinstance(refuse(full, path, b""), Invalid)


def test_a_source_that_is_no_regular_file_is_refused_and_never_waited_for(
    full: VersionStore, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    for source in (tmp_path / "fifo", tmp_path, Path("/dev/zero")):
        assert isinstance(refuse(full, "/x", source), Invalid)
    assert isinstance(refuse(full, "/x", tmp_path / "none"), NotFound)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refuse(full, "/x", tmp_path / "loop")


@pytest.mark.parametrize("source", [io.StringIO("text"), "a name", 5, None])
def test_what_is_no_binary_source_is_refused(full: VersionStore, source: object) -> None:
    assert isinstance(refuse(full, "/x", source), Invalid)


def test_a_missing_file_in_a_tree_stops_it_whole(full: VersionStore, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    files = [("there", tmp_path / "there"), ("none", tmp_path / "none")]
    with pytest.raises(NotFound, match=r"cannot read .*none"), full.modify("images", "master") as writer:
        writer.put_tree("/t", files)
    assert full.read("images", "master").lookup("/t") is None


def test_names_in_a_tree_cannot_leave_it(full: VersionStore, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(Invalid), full.modify("images", "master") as writer:
        writer.put_tree("/t", [("../../etc/passwd", tmp_path / "f")])


def test_what_is_not_there_cannot_be_deleted(full: VersionStore) -> None:
    for path in ("/none", "/a/b/c", "/a/none"):
        with pytest.raises(NotFound), full.modify("images", "master") as writer:
            writer.delete(path)
    assert full.read("images", "master").lookup("/a/b") is not None


@pytest.mark.parametrize("name", ["", "a b", "a/b/c", "..", "a\n", "é", "-" * 256, "a/", "a\0"])
def test_illegal_repo_names_are_refused(store: VersionStore, name: str) -> None:
    with pytest.raises(Invalid, match="illegal"):
        store.create_repo(name)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "..", "0123456789abcdef" * 2, "a^", "x~1"])
def test_illegal_branch_names_are_refused(store: VersionStore, name: str) -> None:
    for act in (store.create_branch, store.start_commit):
        with pytest.raises((Invalid, NotFound)):
            act("images", name)
    with pytest.raises((Invalid, NotFound)), store.modify("images", name):
        pass
    assert list(store.list_branches("images")) == []


def test_unknown_repos_are_named(store: VersionStore) -> None:
    acts = [
        lambda: store.inspect_repo("none"),
        lambda: store.delete_repo("none"),
        lambda: store.create_branch("none", "b"),
        lambda: store.list_branches("none"),
        lambda: store.list_commits("none"),
        lambda: store.start_commit("none", "b"),
        lambda: store.read("none", "b"),
        lambda: store.diff("none", "b"),
        lambda: store.modify("none", "b").__enter__(),
    ]
    for act in acts:
        with pytest.raises(NotFound, match="no repo 'none'"):
            act()


def test_sql_in_a_name_is_only_a_name(store: VersionStore) -> None:
    for text in ("x'; DROP TABLE repos; --", 'x" OR 1=1', "%"):
        with pytest.raises((Invalid, NotFound)):
            store.inspect_commit("images", text)
        with pytest.raises((Invalid, NotFound)):
            store.inspect_repo(text)
    assert [repo.name for repo in store.list_repos()] == ["images"]


def test_numbers_and_texts_that_no_column_can_hold_are_refused(full: VersionStore) -> None:
    acts = [
        lambda: full.changes(10**30),
        lambda: full.changes(0, limit=-1),
        lambda: full.list_repos(limit=-1),
        lambda: full.list_commits("images", limit=-1),
        lambda: full.read("images", "master").list(limit=-1),
        lambda: list(full.list_repos(after="\ud800")),
        lambda: full.create_repo("x", description="\ud800"),
        lambda: full.start_commit("images", "x", message="\ud800"),
        lambda: full.inspect_commit("images", "master~" + "9" * 5000),
        lambda: full.inspect_commit("images", "master" + "^" * 100_000),
    ]
    for act in acts:
        with pytest.raises(Invalid):
            act()
    assert [repo.name for repo in full.list_repos()] == ["images"]
    assert [branch.name for branch in full.list_branches("images")] == ["master"]


def test_a_closed_store_says_so(full: VersionStore) -> None:
    reader = full.read("images", "master")
    full.close()
    full.close()
    for act in (full.list_repos, lambda: full.create_repo("x"), lambda: reader.open("/a/b").read()):
        with pytest.raises(Unavailable, match="closed"):
            act()


def test_the_commit_of_a_block_is_known_only_after_it(store: VersionStore) -> None:
    with store.modify("images", "master") as writer, pytest.raises(Invalid, match="not made yet"):
        _ = writer.commit
    assert writer.commit.files == 0


def test_reading_needs_a_file_and_a_place_in_it(full: VersionStore) -> None:
    reader = full.read("images", "master")
    file = reader.lookup("/a/b")
    assert file is not None
    assert reader.readinto(file, bytearray(10), 1) == 0
    assert reader.readinto(file, bytearray(10), 1 << 62) == 0
    assert reader.readinto(file, bytearray(0)) == 0
    with pytest.raises(Invalid, match="negative"):
        reader.readinto(file, bytearray(1), -1)
    with pytest.raises(Invalid, match="directory"):
        reader.readinto(reader.lookup("/a"), bytearray(1))  # type: ignore[arg-type]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_source_that_may_not_be_read_is_denied(full: VersionStore, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0)
    assert isinstance(refuse(full, "/x", tmp_path / "secret"), Denied)


def test_names_are_what_they_are_byte_for_byte(store: VersionStore) -> None:
    composed, decomposed = "/caf\u00e9", "/cafe\u0301"
    files = {"/README": b"1", "/readme": b"2", "/Readme": b"3", composed: b"4", decomposed: b"5", "/ ": b"6"}
    with store.modify("images", "master") as writer:
        for path, data in files.items():
            writer.put(path, data)
    reader = store.read("images", "master")
    assert {file.path: reader.open(file.path).read() for file in reader.list()} == files
    with store.modify("images", "master") as writer:
        writer.delete("/readme")
        writer.delete(composed)
    assert {file.path for file in store.read("images", "master").list()} == {*files} - {"/readme", composed}


def test_an_empty_file_is_a_file_and_a_long_path_is_a_path(store: VersionStore) -> None:
    longest = "/" + "/".join(["x" * 255] * 15) + "/" + "y" * 255
    assert len(longest) == 4096
    with store.modify("images", "master") as writer:
        writer.put("/empty", b"")
        writer.put("/appended", b"")
        writer.put("/appended", b"", append=True)
        writer.put(longest, b"deep")
    reader = store.read("images", "master")
    assert reader.lookup("/empty").size == 0
    assert reader.lookup("/empty").hash == reader.lookup("/appended").hash
    assert reader.open("/empty").read() == b""
    assert reader.open(longest).read() == b"deep"
    with pytest.raises(Invalid, match="path too long"), store.modify("images", "master") as writer:
        writer.put(longest + "y", b"")
