"""Without FUSE the same call gives the same files."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from jupyter_dvmount.mounting import checkout as module
from jupyter_dvmount.mounting.support import MODE_VARIABLE
from jupyter_dvmount.store import AlreadyExists, Corrupt, Unavailable
from tests.fuse import need_fuse
from tests.integration.mounts.processes import processes_of
from tests.integration.mounts.trees import files_below, random_tree

pytestmark = pytest.mark.usefixtures("checkout")


def temporary(config):
    return list((config.state / "tmp").iterdir())


def test_a_checkout_equals_the_mount_byte_for_byte(manager, put, monkeypatch):
    tree = random_tree()
    put(tree)
    copied = manager.mount("images", "master", name="copied")
    assert copied.mode == "checkout"
    assert files_below(Path(copied.path)) == tree
    need_fuse()
    monkeypatch.setenv(MODE_VARIABLE, "fuse")
    mounted = manager.mount("images", "master", name="mounted")
    assert files_below(Path(mounted.path)) == tree

    def looks(path):
        status = path.stat()
        return stat.S_IMODE(status.st_mode), int(status.st_mtime), status.st_size * path.is_file()

    for name in ["", "data", "names", *(path.lstrip("/") for path in tree)]:
        assert looks(Path(copied.path, name)) == looks(Path(mounted.path, name))


def test_files_of_a_checkout_are_read_only_and_need_no_process(manager, put, config):
    put({"/d/a": b"1"})
    path = Path(manager.mount("images", "master").path)
    assert stat.S_IMODE((path / "d" / "a").stat().st_mode) == 0o444
    assert stat.S_IMODE((path / "d").stat().st_mode) == 0o555
    assert stat.S_IMODE(path.stat().st_mode) == 0o555
    assert processes_of(config.state) == []


def test_mounts_of_one_commit_share_its_files_and_the_last_one_removes_them(manager, put, config):
    commit = put({"/d/a": b"1"})
    first = manager.mount("images", "master", name="first")
    calls = []
    second = manager.mount("images", commit, name="second", progress=lambda *done: calls.append(done))
    assert calls == []
    assert first.target == second.target
    manager.unmount("first")
    assert Path(second.path, "d", "a").read_bytes() == b"1"
    with Path(second.path, "d", "a").open("rb") as file:
        assert os.getpid() in {holder.pid for holder in manager.unmount("second").holders}
        assert file.read() == b"1"
    assert not Path(second.target).exists()
    assert temporary(config) == []


def test_a_copy_as_deep_as_a_path_may_be_is_removed(manager, put, config):
    deep = f"{'/d' * 1500}/file"
    put({deep: b"bottom"})
    assert Path(manager.mount("images", "master").path + deep).read_bytes() == b"bottom"
    manager.unmount("images")
    assert list((config.state / "tmp").iterdir()) == []


def test_progress_is_told_and_may_cancel_without_a_trace(manager, put, config):
    put({f"/{number:03}": b"x" * 1000 for number in range(100)})
    seen = []
    manager.mount("images", "master", name="whole", progress=lambda *done: seen.append(done))
    assert seen[0] == (0, 0)
    assert seen[-1] == (100, 100_000)
    assert seen == sorted(seen)
    manager.unmount("whole")

    def cancel(files, _bytes):
        if files == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        manager.mount("images", "master", progress=cancel)
    assert temporary(config) == []
    assert manager.list() == []
    assert list(config.root.iterdir()) == []
    assert not list((config.state / "checkouts").glob("*/*"))
    assert manager.mount("images", "master").error == ""


def test_too_little_room_is_said_with_both_numbers_before_copying(manager, put, config, monkeypatch):
    put({"/big": b"x" * (3 << 20)})
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage(100 << 20, 98 << 20, 2 << 20))
    copied = []
    with pytest.raises(Unavailable) as caught:
        manager.mount("images", "master", progress=lambda *done: copied.append(done))
    assert "67 MiB" in caught.value.message
    assert "2 MiB are free" in caught.value.message
    assert caught.value.fix
    assert copied == []
    assert manager.list() == []


def test_a_disk_that_fills_up_while_copying_leaves_nothing(manager, put, config, monkeypatch):
    put({"/a": b"x" * 1000, "/b": b"y" * 1000})

    def full(self, info, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module._Copy, "_copy_file", full)
    with pytest.raises(Unavailable, match="No space left"):
        manager.mount("images", "master")
    assert temporary(config) == []
    assert manager.list() == []


def test_corrupt_bytes_are_never_checked_out(manager, put, config, tmp_path):
    bad = os.urandom(50_000)
    put({"/bad": bad})
    for pack in (tmp_path / "store" / "packs").rglob("*"):
        if pack.is_file() and (at := pack.read_bytes().find(bad[:64])) >= 0:
            with pack.open("r+b") as file:
                file.seek(at + 100)
                file.write(bytes([bad[100] ^ 1]))
    with pytest.raises(Corrupt):
        manager.mount("images", "master")
    assert temporary(config) == []
    assert manager.list() == []


def test_what_a_killed_copy_left_behind_is_removed_at_the_next_start(manager, put, config):
    put({"/a": b"1"})
    manager.mount("images", "master")
    dead = config.state / "tmp" / "checkout.999999999.abc"
    (dead / "d").mkdir(parents=True)
    (dead / "d").chmod(0o555)
    mine = config.state / "tmp" / f"checkout.{os.getpid()}.abc"
    mine.mkdir()
    manager.restore()
    assert temporary(config) == [mine]


def test_a_copy_that_nothing_mounts_is_removed_at_the_next_start(manager, put, config):
    put({"/a": b"1"})
    mount = manager.mount("images", "master")
    lost = Path(mount.target).with_name("images@lost")
    (lost / "d").mkdir(parents=True)
    lost.chmod(0o555)
    assert [restored.error for restored in manager.restore()] == [""]
    assert not lost.exists()
    assert Path(mount.path, "a").read_bytes() == b"1"


def test_a_checkout_taken_away_while_it_is_being_mounted_is_made_again(manager, put, monkeypatch):
    put({"/a": b"1"})
    manager.mount("images", "master", name="first")
    materialise, taken = manager._checkouts.materialise, []

    def racing(*arguments):
        target = materialise(*arguments)
        if not taken:
            taken.append(manager.unmount("first"))
        return target

    monkeypatch.setattr(manager._checkouts, "materialise", racing)
    assert Path(manager.mount("images", "master", name="second").path, "a").read_bytes() == b"1"


def test_a_copy_made_for_a_name_that_was_taken_meanwhile_is_removed(manager, put, config, monkeypatch):
    put({"/a": b"1"})
    put({"/a": b"2"}, branch="dev")
    materialise = manager._checkouts.materialise

    def racing(*arguments):
        monkeypatch.setattr(manager._checkouts, "materialise", materialise)
        manager.mount("images", "dev", name="data")
        return materialise(*arguments)

    monkeypatch.setattr(manager._checkouts, "materialise", racing)
    with pytest.raises(AlreadyExists):
        manager.mount("images", "master", name="data")
    assert [path.name for path in (config.state / "checkouts").glob("*/*")] == [
        Path(manager.list()[0].target).name
    ]


def test_mounting_again_with_fuse_replaces_the_copy(manager, put, monkeypatch):
    need_fuse()
    put({"/a": b"1"})
    copied = manager.mount("images", "master")
    monkeypatch.setenv(MODE_VARIABLE, "fuse")
    mounted = manager.mount("images", "master")
    assert (copied.mode, mounted.mode, mounted.path) == ("checkout", "fuse", copied.path)
    assert not Path(copied.target).exists()
    assert Path(mounted.path, "a").read_bytes() == b"1"


def test_deleted_files_of_a_checkout_are_reported_and_come_back_with_a_new_mount(manager, put):
    put({"/a": b"1"})
    mount = manager.mount("images", "master")
    Path(mount.target).chmod(0o755)
    shutil.rmtree(mount.target)
    assert "mount it again" in manager.list()[0].error
    manager.unmount("images")
    assert Path(manager.mount("images", "master").path, "a").read_bytes() == b"1"


def inodes(directory):
    found = {path.name: path.stat().st_ino for path in directory.rglob("*") if path.is_file()}
    return set(found.items())


def test_files_that_another_copy_has_are_not_copied_again(manager, put):
    put({"/same": b"s" * 5000, "/changed": b"1", "/d/empty": b"", "/gone": b"g"})
    first = Path(manager.mount("images", "master", name="first").target)
    put({"/changed": b"2", "/new": b"n"})
    second = Path(manager.mount("images", "master", name="second").target)
    assert files_below(first) == {"/same": b"s" * 5000, "/changed": b"1", "/d/empty": b"", "/gone": b"g"}
    assert files_below(second) == {**files_below(first), "/changed": b"2", "/new": b"n"}
    if (first / "same").stat().st_nlink == 2:  # else the file system has cloned them
        assert {name for name, _ in inodes(first) & inodes(second)} == {"same", "empty", "gone"}
    manager.unmount("first")
    assert (second / "same").read_bytes() == b"s" * 5000
    put({"/third": b"3"})
    third = Path(manager.mount("images", "master", name="third").target)
    assert files_below(third) == {**files_below(second), "/third": b"3"}


def test_a_copy_that_somebody_has_changed_is_no_source_of_files(manager, put):
    put({"/a": b"right", "/b": b"right"})
    first = Path(manager.mount("images", "master", name="first").target)
    for name, writable in (("a", 0o644), ("b", 0o444)):
        (first / name).chmod(0o644)
        (first / name).write_bytes(b"wrong")
        (first / name).chmod(writable)
    put({"/c": b"new"})
    second = manager.mount("images", "master", name="second")
    assert files_below(Path(second.path)) == {"/a": b"right", "/b": b"right", "/c": b"new"}


def test_a_copy_for_which_there_is_room_only_because_files_are_shared_is_made(manager, put, monkeypatch):
    put({"/big": b"x" * (3 << 20)})
    manager.mount("images", "master", name="first")
    put({"/small": b"y"})
    usage = namedtuple("usage", "total used free")
    free = module.SLACK + (1 << 20)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage(free, 0, free))
    assert manager.mount("images", "master", name="second").error == ""


def test_a_copy_whose_process_is_killed_half_way_is_never_taken_for_a_whole_one(manager, put, config, store):
    put({f"/d/{number:04}": b"x" * 1000 for number in range(2000)})
    script = """
import os, sys
from pathlib import Path
from jupyter_dvmount.config import Config
from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.store import open_store
store = open_store(sys.argv[1])
config = Config(store=store.url, state=Path(sys.argv[2]), root=Path(sys.argv[3]))
MountManager(config, store).mount(
    "images", "master", progress=lambda files, size: files > 1000 and os.kill(os.getpid(), 9)
)
"""
    words = [sys.executable, "-c", script, store.url, str(config.state), str(config.root)]
    assert subprocess.run(words, check=False, timeout=120).returncode == -9
    assert len(temporary(config)) == 1
    assert list((config.state / "checkouts").glob("*/*")) == []
    assert manager.list() == []
    mount = manager.mount("images", "master")
    assert len(files_below(Path(mount.path))) == 2000
    manager.restore()
    assert temporary(config) == []
