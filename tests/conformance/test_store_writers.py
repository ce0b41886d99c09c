"""Several writers and readers at once, in threads and in processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jupyter_dvmount.store import CommitFinished, Conflict, NotFound, Unavailable, VersionStore, open_store

PROCESS = """
import sys
from jupyter_dvmount.store import open_store
url, who, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open_store(url) as store:
    for number in range(count):
        with store.modify("images", "master") as writer:
            writer.put(f"/{who}/{number}", f"{who} {number}".encode())
"""


def names(store: VersionStore, ref: str = "master") -> set[str]:
    return {file.path for file in store.read("images", ref).walk() if file.type == "file"}


def test_processes_that_write_to_one_branch_lose_nothing(store: VersionStore) -> None:
    command = [sys.executable, "-c", PROCESS, store.url]
    running = [subprocess.Popen([*command, f"p{number}", "15"]) for number in range(3)]
    try:
        assert [process.wait(120) for process in running] == [0, 0, 0]
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert names(store) == {f"/p{who}/{number}" for who in range(3) for number in range(15)}
    assert len(list(store.list_commits("images", branch="master"))) == 45
    assert list(store.fsck(full=True)) == []


def test_threads_that_write_to_many_branches_do_not_disturb_each_other(store: VersionStore) -> None:
    def write(branch: int) -> None:
        for number in range(8):
            with store.modify("images", f"b{branch}") as writer:
                writer.put(f"/{number}", bytes([branch, number]) * 1000)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    for branch in range(6):
        assert names(store, f"b{branch}") == {f"/{number}" for number in range(8)}


def beside(store: VersionStore, mine: Callable, theirs: Callable) -> None:
    """Do ``mine`` in a block, and ``theirs`` in another one that ends first."""
    with store.modify("images", "master") as slow:
        mine(slow)
        with store.modify("images", "master") as quick:
            theirs(quick)


@pytest.fixture
def full(store: VersionStore) -> VersionStore:
    with store.modify("images", "master") as writer:
        for path in ("/a/x", "/a/y", "/b/x", "/log"):
            writer.put(path, b"old")
    return store


def test_puts_are_replayed_on_a_head_that_has_moved(full: VersionStore) -> None:
    beside(full, lambda w: w.put("/mine", b"1"), lambda w: w.put("/theirs", b"2"))
    assert {"/mine", "/theirs", "/a/x"} <= names(full)
    first, second, *_ = full.list_commits("images", branch="master")
    assert first.parent == second.id


def test_the_last_put_of_a_file_wins(full: VersionStore) -> None:
    beside(full, lambda w: w.put("/a/x", b"mine"), lambda w: w.put("/a/x", b"theirs"))
    assert full.read("images", "master").open("/a/x").read() == b"mine"
    assert full.read("images", "master^").open("/a/x").read() == b"theirs"


def test_deletes_of_files_are_replayed(full: VersionStore) -> None:
    beside(full, lambda w: w.delete("/b/x"), lambda w: w.delete("/b/x"))
    assert full.read("images", "master").lookup("/b") is None
    beside(full, lambda w: w.delete("/a/x"), lambda w: w.delete("/a/y"))
    assert names(full) == {"/log"}


def test_a_deleted_directory_that_has_got_a_new_file_is_a_conflict(full: VersionStore) -> None:
    with pytest.raises(Conflict, match="/a was changed by another commit"):
        beside(full, lambda w: w.delete("/a"), lambda w: w.put("/a/new", b"precious"))
    assert "/a/new" in names(full)


def test_an_append_to_a_file_that_has_changed_is_a_conflict(full: VersionStore) -> None:
    with pytest.raises(Conflict, match="/log was changed by another commit"):
        beside(full, lambda w: w.put("/log", b"1", append=True), lambda w: w.put("/log", b"2", append=True))
    assert full.read("images", "master").open("/log").read() == b"old2"


def test_a_file_where_the_other_made_a_directory_is_a_conflict(full: VersionStore) -> None:
    with pytest.raises(Conflict, match="another commit came first"):
        beside(full, lambda w: w.put("/new", b"1"), lambda w: w.put("/new/inner", b"2"))
    with pytest.raises(Conflict, match="another commit came first"):
        beside(full, lambda w: w.put("/other/inner", b"1"), lambda w: w.put("/other", b"2"))
    assert list(full.fsck(full=True)) == []


def test_a_file_in_place_of_a_deleted_directory_is_replayed(full: VersionStore) -> None:
    def replace(writer) -> None:
        writer.delete("/a/x")
        writer.delete("/a/y")
        writer.put("/a", b"file now")

    beside(full, replace, lambda w: w.put("/theirs", b""))
    assert names(full) == {"/a", "/b/x", "/log", "/theirs"}


def test_changes_to_an_open_commit_are_replayed_too(full: VersionStore) -> None:
    full.start_commit("images", "master")
    beside(full, lambda w: w.put("/mine", b"1"), lambda w: w.put("/theirs", b"2"))
    full.finish_commit("images", "master")
    assert {"/mine", "/theirs"} <= names(full)


def test_a_commit_finished_meanwhile_takes_no_more(full: VersionStore) -> None:
    full.start_commit("images", "master")

    def write_late() -> None:
        with full.modify("images", "master") as writer:
            writer.put("/late", b"1")
            full.finish_commit("images", "master")

    with pytest.raises(CommitFinished):
        write_late()
    assert "/late" not in names(full)


def test_a_commit_dropped_meanwhile_takes_no_more(full: VersionStore) -> None:
    full.start_commit("images", "master")

    def write_late() -> None:
        with full.modify("images", "master") as writer:
            writer.put("/late", b"1")
            full.drop_commit("images", "master")

    with pytest.raises(NotFound):
        write_late()


def test_a_commit_started_meanwhile_is_a_conflict_and_not_a_surprise(full: VersionStore) -> None:
    def write_late() -> None:
        with full.modify("images", "master") as writer:
            writer.put("/late", b"1")
            full.start_commit("images", "master")

    with pytest.raises(Conflict, match="was started on"):
        write_late()


def test_a_branch_deleted_meanwhile_is_not_made_again(full: VersionStore) -> None:
    def write_late() -> None:
        with full.modify("images", "master") as writer:
            writer.put("/late", b"1")
            full.delete_branch("images", "master")

    with pytest.raises(Conflict, match="was deleted meanwhile"):
        write_late()


def test_readers_see_whole_commits_while_others_write(full: VersionStore) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with full.modify("images", "master") as writer:
                for name in "xyz":
                    writer.put(f"/same/{name}", b"%d" % number)

    def read() -> None:
        for _ in range(60):
            reader = full.read("images", "master")
            if reader.lookup("/same") is not None:
                assert len({reader.open(f"/same/{name}").read() for name in "xyz"}) == 1

    with ThreadPoolExecutor(4) as pool:
        writing = pool.submit(write)
        try:
            list(pool.map(lambda _: read(), range(3)))
        finally:
            stop.set()
        writing.result()


def test_a_store_closed_in_the_middle_of_a_block_loses_only_the_block(full: VersionStore) -> None:
    def write_late() -> None:
        with full.modify("images", "master") as writer:
            writer.put("/late", b"1")
            full.close()

    with pytest.raises(Unavailable, match="closed"):
        write_late()
    with open_store(full.url) as again:
        assert "/late" not in names(again)
        assert list(again.fsck(full=True)) == []


def test_many_threads_read_with_few_packs_open(
    full: VersionStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("jupyter_dvmount.store.embedded.blobs.local.OPEN_FILES", 1)
    for number in range(20):  # a pack each
        with full.modify("images", "master") as writer:
            writer.put(f"/n/{number}", b"%d" % number)
    reader = full.read("images", "master")

    def read(number: int) -> bool:
        file = reader.lookup(f"/n/{number % 20}")
        buffer = bytearray(file.size)
        reader.readinto(file, buffer)
        return bytes(buffer) == b"%d" % (number % 20)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(400)))


def test_a_process_commits_to_one_branch_while_another_is_being_written_to(full: VersionStore) -> None:
    script = PROCESS.replace('"master"', '"other"')
    with full.modify("images", "master") as slow:
        slow.put("/large", os.urandom(40 << 20))  # more than a pack: some of it is in the store already
        subprocess.run([sys.executable, "-c", script, full.url, "quick", "5"], check=True, timeout=60)
        assert len(names(full, "other")) == 5
        assert "/large" not in names(full)
    assert "/large" in names(full)
    assert list(full.fsck(full=True)) == []
