"""A disk that is full or read-only, at any point of a put."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_dvmount.store import Denied, Unavailable, VersionStore, open_store

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small tmpfs: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Leave so many bytes on the disk."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        room = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - leave
        file.write(bytes(max(room, 0)))
    return ballast


def assert_whole(store: VersionStore, directory: Path) -> None:
    assert list((directory / "tmp").iterdir()) == []
    assert list(store.fsck(full=True)) == []
    assert [commit.message for commit in store.list_commits("images", branch="master")] == ["first"]
    assert store.read("images", "master").open("/old").read() == b"old" * 1000


def refusal(act: Callable[[], object]) -> Unavailable | None:
    """The error that ``act`` ends with, if any; it has to say that the disk is full."""
    try:
        act()
    except Unavailable as error:
        refused = error
    else:
        return None
    assert "disk full" in refused.message
    assert "\n" not in refused.message
    assert "free some space" in refused.fix
    return refused


def put(store: VersionStore, path: str, data: bytes) -> None:
    with store.modify("images", "master") as writer:
        writer.put(path, data)


def test_a_disk_that_fills_up_at_any_point_costs_only_the_commit_in_hand(small_disk: Path) -> None:
    directory = small_disk / "store"
    with open_store(directory.as_uri()) as store:
        store.create_repo("images")
        with store.modify("images", "master", message="first") as writer:
            writer.put("/old", b"old" * 1000)
        for leave in [*range(0, 160 << 10, 4 << 10), 300 << 10, 600 << 10, 900 << 10]:
            ballast = fill(small_disk, leave)
            assert refusal(lambda: put(store, "/new", os.urandom(1_000_000))), leave
            assert_whole(store, directory)
            ballast.unlink()
        put(store, "/new", os.urandom(100_000))
        assert store.read("images", "master").usage() == (2, 103_000)


def test_a_block_that_goes_on_after_a_failed_write_cannot_commit(small_disk: Path) -> None:
    directory = small_disk / "store"

    def go_on() -> None:
        with store.modify("images", "master") as writer:
            assert refusal(lambda: writer.put("/large", os.urandom(5 * MIB)))
            writer.put("/small", b"small")

    with open_store(directory.as_uri()) as store:
        store.create_repo("images")
        put(store, "/old", b"old" * 1000)
        with pytest.raises(Unavailable, match="an earlier write of this commit failed"):
            go_on()
        assert store.read("images", "master").usage() == (1, 3000)
        assert list((directory / "tmp").iterdir()) == []
        assert list(store.fsck(full=True)) == []


def test_a_disk_that_fills_up_under_the_last_step_leaves_a_whole_store(small_disk: Path) -> None:
    directory = small_disk / "store"
    with open_store(directory.as_uri()) as store:
        store.create_repo("images")
        done = 0
        steps = range(0, 96 << 10, 4 << 10)
        for leave in steps:
            ballast = fill(small_disk, leave)
            if not refusal(lambda data=b"%d" % leave: put(store, "/small", data)):
                done += 1
                assert store.read("images", "master").open("/small").read() == b"%d" % leave
            assert list((directory / "tmp").iterdir()) == []
            ballast.unlink()
            assert list(store.fsck(full=True)) == []
        assert 0 < done < len(steps)
        assert len(list(store.list_commits("images"))) == done


def test_a_full_disk_cannot_be_made_a_store_half_way(small_disk: Path) -> None:
    url = (small_disk / "store").as_uri()
    leave = 0
    refused = True
    while refused:
        ballast = fill(small_disk, leave)
        refused = refusal(lambda: open_store(url).close()) is not None
        ballast.unlink()
        leave += 8 << 10
    assert leave > 8 << 10
    with open_store(url) as store:
        store.create_repo("images")


def test_reading_goes_on_when_the_disk_is_full(small_disk: Path) -> None:
    directory = small_disk / "store"
    with open_store(directory.as_uri()) as store:
        store.create_repo("images")
        with store.modify("images", "master") as writer:
            writer.put("/a", os.urandom(500_000))
        fill(small_disk, 0)
        assert len(store.read("images", "master").open("/a").read()) == 500_000
        with pytest.raises(Unavailable, match="disk full"):
            store.create_repo("other")
    fill(small_disk, 0)
    with pytest.raises(Unavailable, match="disk full"):  # the catalog's log needs room
        open_store(directory.as_uri(), create=False)


def test_a_read_only_disk_is_denied(small_disk: Path) -> None:
    directory = small_disk / "store"
    open_store(directory.as_uri()).close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for create in (True, False):
        with pytest.raises(Denied, match="is not writable"):
            open_store(directory.as_uri(), create=create)
    with pytest.raises(Denied):
        open_store((small_disk / "new").as_uri())


def test_a_limit_on_the_size_of_files_is_an_error_and_not_a_death(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "import resource\n"
        "from jupyter_dvmount.store import Unavailable, open_store\n"
        "with open_store(sys.argv[1]) as store:\n"
        "    store.create_repo('images')\n"
        f"    resource.setrlimit(resource.RLIMIT_FSIZE, ({MIB}, {MIB}))\n"
        "    try:\n"
        "        with store.modify('images', 'master') as writer:\n"
        "            writer.put('/a', os.urandom(3_000_000))\n"
        "    except Unavailable as error:\n"
        "        print(error.message)\n"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    url = (tmp_path / "store").as_uri()
    done = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True, check=True)
    assert done.stdout == "cannot write to the store: File too large\n"
    with open_store(url) as store:
        assert list((tmp_path / "store" / "tmp").iterdir()) == []
        assert list(store.fsck(full=True)) == []
