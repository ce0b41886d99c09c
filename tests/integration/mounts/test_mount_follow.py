"""A mount never moves silently, and one that follows moves at once and atomically."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event, Thread

import pytest

from jupyter_dvmount.store import Invalid
from tests.integration.mounts.processes import wait_for


@pytest.fixture(params=["fuse", "checkout"], autouse=True)
def mode(request):
    request.getfixturevalue(request.param)
    return request.param


def read_at(directory, name):
    descriptor = os.open(name, os.O_RDONLY, dir_fd=directory)
    try:
        return os.read(descriptor, 9)
    finally:
        os.close(descriptor)


def test_a_pinned_mount_stays_and_says_that_its_branch_has_moved(manager, put):
    first = put({"/a": b"1"})
    path = Path(manager.mount("images", "master").path)
    put({"/a": b"2"})
    listed = manager.list()[0]
    assert (listed.commit, listed.moved) == (first, True)
    assert (path / "a").read_bytes() == b"1"


def test_a_mount_that_follows_moves_while_a_reader_keeps_the_old_commit(manager, put):
    put({"/a": b"1"})
    path = Path(manager.mount("images", "master", follow=True).path)
    with (path / "a").open("rb") as file:
        for number in range(2, 5):
            commit = put({"/a": str(number).encode()})
            wait_for(lambda number=number: (path / "a").read_bytes() == str(number).encode())
            wait_for(lambda commit=commit: manager.list()[0].commit == commit)
        assert file.read() == b"1"
    assert manager.list()[0].moved is False


def test_a_reader_never_finds_the_path_missing_or_mixed_while_it_moves(manager, put, mode):
    put({"/a": b"1", "/b": b"1"})
    path = Path(manager.mount("images", "master").path)
    commits = [put({"/a": str(n).encode(), "/b": str(n).encode()}) for n in range(2, 6)]
    wrong, done = [], Event()

    def read():
        while not done.is_set():
            directory = os.open(path, os.O_RDONLY)
            try:
                pair = {read_at(directory, name) for name in ("a", "b")}
                if len(pair) != 1:
                    wrong.append(pair)
            except OSError as error:
                wrong.append(error)
            finally:
                os.close(directory)

    reader = Thread(target=read)
    reader.start()
    try:
        for commit in commits:
            manager.update("images", ref=commit)
    finally:
        done.set()
        reader.join()
    if (
        mode == "checkout"
    ):  # its files are deleted with the last mount of a commit; only open ones can be read on
        wrong = [found for found in wrong if not isinstance(found, FileNotFoundError)]
    assert wrong == []
    assert (path / "a").read_bytes() == b"5"


def test_many_readers_of_a_mount_that_follows_see_whole_commits_only(manager, put, mode):
    if mode == "checkout":
        pytest.skip("the same swap; files of an old copy go with it")
    put({"/a": b"1", "/b": b"1"})
    path = Path(manager.mount("images", "master", follow=True).path)
    wrong, seen, done = [], set(), Event()

    def read():
        try:
            while not done.is_set():
                directory = os.open(path, os.O_RDONLY)
                pair = {read_at(directory, name) for name in ("a", "b")}
                os.close(directory)
                seen.update(pair)
                if len(pair) != 1:
                    wrong.append(pair)
        except OSError as error:
            wrong.append(error)

    readers = [Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        for number in range(2, 6):
            content = str(number).encode()
            put({"/a": content, "/b": content})
            wait_for(lambda content=content: content in seen)
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert wrong == []


def test_a_mount_can_be_moved_pinned_and_made_to_follow(manager, put):
    first = put({"/a": b"1"})
    second = put({"/a": b"2"})
    manager.mount("images", first, name="data")
    with pytest.raises(Invalid):
        manager.update("data", follow=True)
    moved = manager.update("data", ref="master", follow=True)
    assert (moved.commit, moved.branch, moved.follow) == (second, "master", True)
    third = put({"/a": b"3"})
    wait_for(lambda: manager.inspect("data").commit == third)
    pinned = manager.update("data", follow=False)
    assert (pinned.commit, pinned.follow) == (third, False)
    back = manager.update("data", ref=first)
    assert (back.commit, back.branch, back.follow) == (first, "", False)
    assert Path(back.path, "a").read_bytes() == b"1"


def test_only_a_branch_can_be_followed(manager, put, config):
    commit = put({"/a": b"1"})
    with pytest.raises(Invalid, match="not a branch"):
        manager.mount("images", commit, follow=True)
    assert manager.list() == []


def test_a_deleted_branch_leaves_its_mount_readable(manager, put, store):
    put({"/a": b"1"})
    put({"/a": b"2"}, branch="dev")
    path = Path(manager.mount("images", "dev", follow=True).path)
    store.delete_branch("images", "dev")
    assert manager.list()[0].error == ""
    assert (path / "a").read_bytes() == b"2"
