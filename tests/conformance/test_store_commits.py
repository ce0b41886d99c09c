"""Commits, branches and repos as users meet them."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jupyter_dvmount.store import (
    AlreadyExists,
    CommitFinished,
    Conflict,
    Invalid,
    NotFound,
    Unavailable,
    VersionStore,
)
from tests.conformance.places import StorePlace


def put(store: VersionStore, branch: str, **files: bytes) -> str:
    with store.modify("images", branch) as writer:
        for name, data in files.items():
            writer.put(name, data)
    return writer.commit.id


def names(store: VersionStore, ref: str, path: str = "/") -> list[str]:
    return [file.name for file in store.read("images", ref).list(path)]


def test_a_commit_is_visible_whole_or_not_at_all(store: VersionStore) -> None:
    put(store, "master", a=b"1")
    with store.modify("images", "master") as writer:
        writer.put("/b", b"2")
        assert names(store, "master") == ["a"]
        writer.put("/c", b"3")
        assert names(store, "master") == ["a"]
    assert names(store, "master") == ["a", "b", "c"]


def test_a_block_that_raises_leaves_nothing(store: VersionStore, place: StorePlace) -> None:
    before = place.packs()

    def fail() -> None:
        with store.modify("images", "new") as writer:
            writer.put("/a", bytes(1_000_000))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(store.list_branches("images")) == []
    assert place.packs() == before


def test_an_open_commit_gathers_changes_and_shows_them_when_finished(store: VersionStore) -> None:
    first = put(store, "master", a=b"1")
    started = store.start_commit("images", "master", message="more", author="me")
    assert started.state == "started"
    assert started.parent == first
    assert put(store, "master", b=b"2") == started.id
    with store.modify("images", started.id) as writer:
        writer.put("/c", b"3")
    assert writer.commit.id == started.id
    assert (writer.commit.files, writer.commit.size) == (3, 3)
    assert names(store, "master") == ["a"]
    with pytest.raises(Conflict, match="is not finished"):
        store.read("images", started.id)
    finished = store.finish_commit("images", "master")
    assert (finished.id, finished.state, finished.message, finished.author) == (
        started.id,
        "finished",
        "more",
        "me",
    )
    assert names(store, "master") == ["a", "b", "c"]
    with pytest.raises(CommitFinished):
        store.finish_commit("images", started.id)
    with pytest.raises(CommitFinished), store.modify("images", started.id):
        pass
    with pytest.raises(CommitFinished):
        store.drop_commit("images", started.id)


def test_only_one_commit_is_open_on_a_branch(store: VersionStore) -> None:
    store.start_commit("images", "master")
    with pytest.raises(Conflict, match="is open on"):
        store.start_commit("images", "master")
    with pytest.raises(Conflict):
        store.delete_branch("images", "master")
    store.start_commit("images", "dev")


def test_a_dropped_commit_is_gone(store: VersionStore) -> None:
    head = put(store, "master", a=b"1")
    started = store.start_commit("images", "master")
    put(store, "master", b=b"2")
    store.drop_commit("images", "master")
    assert store.inspect_branch("images", "master").head == head
    assert store.inspect_branch("images", "master").open is None
    with pytest.raises(NotFound):
        store.inspect_commit("images", started.id)
    assert names(store, "master") == ["a"]


def test_a_branch_without_a_head_means_its_open_commit(store: VersionStore) -> None:
    started = store.start_commit("images", "master")
    assert store.inspect_commit("images", "master").id == started.id


def test_history_is_listed_newest_first_and_in_pages(store: VersionStore) -> None:
    ids = [put(store, "master", a=b"%d" % number) for number in range(7)]
    side = put(store, "side", b=b"")
    listed = [commit.id for commit in store.list_commits("images", branch="master")]
    assert listed == ids[::-1]
    assert [c.id for c in store.list_commits("images")] == [side, *ids[::-1]]
    assert [c.id for c in store.list_commits("images", branch="master", limit=2)] == listed[:2]
    after = store.list_commits("images", branch="master", after=listed[1], limit=3)
    assert [c.id for c in after] == listed[2:5]
    assert [c.id for c in store.list_commits("images", after=ids[1])] == [ids[0]]
    assert list(store.list_commits("images", branch="master", after=ids[0])) == []
    assert list(store.list_commits("images", limit=0)) == []
    with pytest.raises(NotFound):
        store.list_commits("images", branch="none")


def test_long_histories_come_whole(store: VersionStore) -> None:
    ids = []
    for _ in range(450):
        store.start_commit("images", "master")
        ids.append(store.finish_commit("images", "master").id)
    assert [commit.id for commit in store.list_commits("images", branch="master")] == ids[::-1]
    assert store.inspect_commit("images", "master~449").id == ids[0]


def test_repos_are_listed_by_name_with_their_size(store: VersionStore) -> None:
    store.create_repo("project/b", description="second")
    store.create_repo("a")
    put(store, "dev", x=b"12345")
    listed = list(store.list_repos())
    assert [(repo.name, repo.size, repo.branches) for repo in listed] == [
        ("a", 0, 0),
        ("images", 5, 1),
        ("project/b", 0, 0),
    ]
    put(store, "master", x=b"1")
    assert store.inspect_repo("images").size == 1
    assert [repo.name for repo in store.list_repos(after="a", limit=1)] == ["images"]
    assert store.inspect_repo("project/b").description == "second"
    with pytest.raises(AlreadyExists):
        store.create_repo("a")


def test_a_repo_with_commits_is_deleted_only_by_force(store: VersionStore) -> None:
    put(store, "master", a=b"1")
    with pytest.raises(Conflict, match="has commits"):
        store.delete_repo("images")
    reader = store.read("images", "master")
    store.delete_repo("images", force=True)
    with pytest.raises(NotFound):
        store.inspect_repo("images")
    assert reader.open("/a").read() == b"1"
    store.create_repo("images")
    assert list(store.list_commits("images")) == []


def test_a_writer_does_not_write_into_a_repo_made_anew_under_the_name(store: VersionStore) -> None:

    def write_late() -> None:
        with store.modify("images", "master") as writer:
            writer.put("/a", b"1")
            store.delete_repo("images", force=True)
            store.create_repo("images")

    with pytest.raises(NotFound, match="deleted meanwhile"):
        write_late()
    assert list(store.list_branches("images")) == []


def test_branches_move_and_keep_their_commits(store: VersionStore) -> None:
    first = put(store, "master", a=b"1")
    second = put(store, "master", a=b"2")
    branch = store.create_branch("images", "release", head="master^")
    assert (branch.head, branch.size) == (first, 1)
    assert store.create_branch("images", "release", head="master").head == second
    with pytest.raises(AlreadyExists):
        store.create_branch("images", "release")
    store.delete_branch("images", "master")
    assert store.inspect_commit("images", second).id == second
    with pytest.raises(NotFound):
        store.inspect_branch("images", "master")
    assert store.create_branch("images", "empty").head is None


def test_a_branch_cannot_point_at_an_open_commit(store: VersionStore) -> None:
    started = store.start_commit("images", "master")
    with pytest.raises(Conflict, match="is not finished"):
        store.create_branch("images", "release", head=started.id)


def test_the_feed_tells_what_happened_in_order(store: VersionStore) -> None:
    start = store.changes()[0].seq
    id_ = put(store, "master", a=b"1")
    opened = store.start_commit("images", "master").id
    put(store, "master", b=b"1")
    store.finish_commit("images", "master")
    store.delete_branch("images", "master")
    told = store.changes(start)
    assert [(c.kind, c.action, c.commit) for c in told] == [
        ("branch", "created", id_),
        ("commit", "finished", id_),
        ("branch", "updated", id_),
        ("commit", "started", opened),
        ("commit", "updated", opened),
        ("branch", "updated", opened),
        ("commit", "finished", opened),
        ("branch", "deleted", ""),
    ]
    assert store.changes(told[2].seq, limit=2) == told[3:5]
    assert store.changes(told[-1].seq) == []
    assert store.changes() == told[-1:]


def test_the_feed_is_bounded(store: VersionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_dvmount.store.embedded.commits.feed.KEPT", 5)
    for number in range(10):
        store.create_repo(f"r{number}")
    assert [change.repo for change in store.changes(0)] == [f"r{number}" for number in range(5, 10)]


def test_waiting_ends_when_the_commit_is_finished(store: VersionStore) -> None:
    started = store.start_commit("images", "master")
    with pytest.raises(Unavailable, match="is not finished after"):
        store.wait_commit("images", "master", timeout=0.05)
    timer = threading.Timer(0.1, store.finish_commit, ("images", "master"))
    timer.start()
    try:
        assert store.wait_commit("images", "master", timeout=30).id == started.id
    finally:
        timer.join()
    assert store.wait_commit("images", "master").state == "finished"


def test_files_are_listed_in_pages(store: VersionStore) -> None:
    with store.modify("images", "master") as writer:
        for number in range(1000):
            writer.put(f"/d/{number:04}", b"x")
        writer.put("/d/0500.d/inner", b"x")
    reader = store.read("images", "master")
    page = list(reader.list("/d", after="0499", limit=3))
    assert [(file.name, file.type) for file in page] == [
        ("0500", "file"),
        ("0500.d", "dir"),
        ("0501", "file"),
    ]
    assert len(list(reader.list("/d"))) == 1001
    assert len(list(reader.walk())) == 1003
    assert reader.usage("/d") == (1001, 1001)
    assert reader.usage("/d/0500.d/inner") == (1, 1)
    assert list(reader.list("/d", limit=0)) == []
    with pytest.raises(NotFound, match="no file or directory /none"):
        reader.list("/none")
    with pytest.raises(Invalid, match="is a file"):
        reader.list("/d/0001")
    with pytest.raises(NotFound):
        reader.usage("/none")


def test_lookup_tells_files_directories_and_nothing_apart(store: VersionStore) -> None:
    put(store, "master", **{"/a/b": b"12"})
    reader = store.read("images", "master")
    assert reader.lookup("/").type == "dir"
    assert reader.lookup("/a").type == "dir"
    assert reader.lookup("a/b/").path == "/a/b"
    assert reader.lookup("/a/b").size == 2
    for path in ("/a/c", "/a/b/c", "/a//b", "/../a", "/a\0b", "/A", "/a/b\n"):
        assert reader.lookup(path) is None


def test_streams_seek_and_end(store: VersionStore) -> None:
    data = bytes(range(256)) * 4000
    put(store, "master", a=data)
    with store.read("images", "master").open("/a") as stream:
        assert stream.read(10) == data[:10]
        assert stream.seek(-5, io.SEEK_END) == len(data) - 5
        assert stream.read() == data[-5:]
        assert stream.read() == b""
        stream.seek(700_000)
        assert stream.read(300) == data[700_000:700_300]
        assert not stream.writable()
    with pytest.raises(Invalid, match="is a directory"):
        store.read("images", "master").open("/")
    with pytest.raises(NotFound):
        store.read("images", "master").open("/none")


def test_the_difference_of_a_path_is_only_of_that_path(store: VersionStore) -> None:
    put(store, "master", **{"/a/x": b"1", "/b/x": b"1", "/ab": b"1"})
    put(store, "master", **{"/a/x": b"2", "/b/x": b"2", "/ab": b"2"})
    assert [(e.path, e.change) for e in store.diff("images", "master", path="/a")] == [("/a/x", "changed")]
    assert [e.path for e in store.diff("images", "master", path="/ab")] == ["/ab"]
    assert [e.path for e in store.diff("images", "master^")] == ["/a", "/ab", "/b", "/a/x", "/b/x"]
    with pytest.raises(NotFound, match="in neither commit"):
        store.diff("images", "master", path="/none")


def test_differences_between_repos(store: VersionStore) -> None:
    put(store, "master", a=b"1")
    store.create_repo("other")
    with store.modify("other", "master") as writer:
        writer.copy("images", "master", "/", "/")
        writer.put("/b", b"2")
    (entry,) = store.diff("images", "master", "other", "master")
    assert (entry.path, entry.change, entry.new) == ("/b", "deleted", None)
    assert entry.old is not None
    assert entry.old.commit == writer.commit.id


def test_directories_are_copied_without_moving_bytes(store: VersionStore, place: StorePlace) -> None:
    put(store, "master", **{"/a/x": bytes(range(256)) * 3000, "/a/y/z": b"z"})
    before = place.stored()
    with store.modify("images", "master") as writer:
        writer.put("/b/old", b"old")
        writer.copy("images", "master", "/a", "/b")
        writer.copy("images", "master", "/a/y/z", "/deep/copy")
    reader = store.read("images", "master")
    assert [file.path for file in reader.walk("/b")] == ["/b/x", "/b/y", "/b/y/z"]
    assert reader.open("/deep/copy").read() == b"z"
    assert place.stored() - before < 5000
    with pytest.raises(NotFound), store.modify("images", "master") as writer:
        writer.copy("images", "master", "/none", "/c")
    with pytest.raises(Invalid), store.modify("images", "master") as writer:
        writer.copy("images", "master", "/a", "/b/x")


@pytest.mark.places("sqlite+local", "sqlite+s3")
def test_the_memory_of_a_put_does_not_grow_with_its_size(store: VersionStore) -> None:
    script = (
        "import io, resource, sys\n"
        "from jupyter_dvmount.store import open_store\n"
        "class Stream(io.RawIOBase):\n"
        "    left = int(sys.argv[2])\n"
        "    def read(self, size=-1):\n"
        "        size = min(size, self.left); self.left -= size\n"
        "        return (b'%d ' % self.left * size)[:size]\n"
        "with open_store(sys.argv[1]) as store, store.modify('images', 'master') as writer:\n"
        "    writer.put('/large', Stream())\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )

    def peak(size: int) -> int:
        command = [sys.executable, "-c", script, store.url, str(size)]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    assert peak(400 << 20) - peak(40 << 20) < 40 << 10  # KiB
    assert store.read("images", "master~1").lookup("/large").size == 400 << 20


def test_a_tree_is_put_with_progress_and_may_be_cancelled(store: VersionStore, tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number:03}").write_bytes(b"%d" % number)
    (tmp_path / "large").write_bytes(bytes(600_000))
    files = [(f"{n:03}", tmp_path / f"{n:03}") for n in range(100)] + [("sub/large", tmp_path / "large")]
    seen: list[tuple[int, int]] = []
    with store.modify("images", "master") as writer:
        writer.put_tree("/in", files, progress=lambda count, size: seen.append((count, size)))
    assert seen[-1] == (101, 190 + 600_000)
    assert seen == sorted(seen)
    reader = store.read("images", "master")
    assert reader.open("/in/042").read() == b"42"
    assert reader.lookup("/in/sub/large").size == 600_000

    def cancel(count: int, size: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), store.modify("images", "other") as writer:
        writer.put_tree("/", files, progress=cancel)
    assert [branch.name for branch in store.list_branches("images")] == ["master"]
