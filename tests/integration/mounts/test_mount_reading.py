"""What is mounted reads like plain local files."""

from __future__ import annotations

import errno
import mmap
import os
import random
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.mounts.trees import files_below, random_tree

pytestmark = pytest.mark.usefixtures("fuse")


def test_a_random_tree_reads_back_byte_for_byte(manager, put):
    tree = random_tree()
    put(tree)
    mounted = Path(manager.mount("images", "master").path)
    assert files_below(mounted) == tree
    assert files_below(mounted) == tree  # now from the kernel's caches


def test_files_of_one_size_are_never_taken_for_each_other(manager, store, tmp_path):
    source, chance = tmp_path / "source", random.Random(5)
    sizes = {"big": 5 << 20} | {f"d{number % 40:02}/f{number:04}": 20_480 for number in range(4000)}
    for name, size in sizes.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(chance.randbytes(size))
    store.create_repo("images")
    with store.modify("images", "master") as writer:
        writer.put_tree("/", [(name, source / name) for name in sorted(sizes)])
    mounted = Path(manager.mount("images", "master").path)
    names = list(sizes)
    for _ in range(2):  # in the order of the listing, and in any other
        assert [name for name in names if (mounted / name).read_bytes() != (source / name).read_bytes()] == []
        manager.stop()
        manager.restore()
        chance.shuffle(names)


def test_a_mount_is_a_link_to_the_commit_itself(manager, put, config):
    commit = put({"/a": b"1"}, repo="team/images")
    mount = manager.mount("team/images", "master")
    assert mount.path == str(config.root / "images")
    assert os.path.realpath(mount.path) == mount.target
    assert Path(mount.target).name == f"team~images@{commit}"
    assert (mount.mode, mount.error, mount.moved) == ("fuse", "", False)


def test_a_big_file_reads_at_any_offset_and_maps(manager, put):
    content = random.Random(2).randbytes(40 << 20)
    put({"/big": content})
    path = Path(manager.mount("images", "master").path) / "big"
    chance = random.Random(3)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        for _ in range(300):
            offset = chance.randrange(len(content) + 100)
            length = chance.choice([1, 100, 4096, 70_000, 2_000_000])
            assert os.pread(descriptor, length, offset) == content[offset : offset + length]
        with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as mapped:
            assert mapped[-5:] == content[-5:]
            assert mapped[12_345_678:12_400_000] == content[12_345_678:12_400_000]
    finally:
        os.close(descriptor)


def test_many_readers_at_once_all_read_right(manager, put):
    tree = random_tree(4)
    put(tree)
    mounted = Path(manager.mount("images", "master").path)

    def check(path):
        return (mounted / path.lstrip("/")).read_bytes() == tree[path]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check, [*tree, *tree]))


def test_modes_owner_and_times_are_those_of_an_immutable_commit(manager, put, store):
    commit = store.inspect_commit("images", put({"/d/a": b"12345"}))
    root = Path(manager.mount("images", "master").path)
    file, directory = (root / "d" / "a").stat(), (root / "d").stat()
    assert stat.S_IMODE(file.st_mode) == 0o444
    assert stat.S_IMODE(directory.st_mode) == 0o555
    assert file.st_uid == directory.st_uid == os.geteuid()
    assert file.st_mtime == directory.st_mtime == int(commit.finished.timestamp())
    assert (file.st_size, file.st_blocks) == (5, 1)


def test_inodes_survive_a_restart_of_the_daemon(manager, put):
    put({f"/d/{number}": b"x" for number in range(50)})
    root = Path(manager.mount("images", "master").path)
    before = {path.name: path.stat().st_ino for path in (root / "d").iterdir()}
    manager.stop()
    manager.restore()
    after = {path.name: path.stat().st_ino for path in (root / "d").iterdir()}
    assert after == before
    assert len(set(before.values())) == 50


def test_extended_attributes_name_the_commit(manager, put):
    commit = put({"/d/a": b"1"})
    root = Path(manager.mount("images", "master").path)
    assert os.getxattr(root / "d" / "a", "user.dvmount.commit") == commit.encode()
    assert os.getxattr(root / "d" / "a", "user.dvmount.path") == b"/d/a"
    assert "user.dvmount.hash" in os.listxattr(root / "d" / "a")
    with pytest.raises(OSError) as caught:  # noqa: PT011  the errno is what is looked at
        os.getxattr(root / "d" / "a", "user.other")
    assert caught.value.errno == errno.ENODATA


def test_what_is_missing_is_missing_and_a_new_commit_appears(manager, put, config):
    put({"/a": b"1"})
    first = manager.mount("images", "master", name="one")
    root = Path(first.path)
    assert not (root / "none").exists()
    assert not (root / "a" / "none").exists()
    store_directory = Path(first.target).parent
    assert not (store_directory / f"images@{'0' * 32}").exists()
    soon = put({"/b": b"2"})
    assert (store_directory / f"images@{soon}" / "b").read_bytes() == b"2"
    opened = [path.name for path in store_directory.iterdir()]
    assert f"images@{soon}" in opened


def test_names_that_no_commit_can_have_are_missing(manager, put):
    put({"/a": b"1"})
    root = os.fsencode(manager.mount("images", "master").path)
    for name in (b"\xff\xfe", b"new\nline", b"tab\t", b"x" * 255, b"a/../a/x"):
        assert not os.path.lexists(root + b"/" + name)


def test_a_commit_looked_for_too_early_is_found_when_it_is_finished(manager, put, store):
    put({"/a": b"1"})
    directory = Path(manager.mount("images", "master").target).parent
    open_commit = store.start_commit("images", "master")
    early = directory / f"images@{open_commit.id}"
    assert not early.exists()
    with store.modify("images", "master") as writer:
        writer.put("/late", b"2")
    assert not early.exists()
    store.finish_commit("images", "master")
    assert (early / "late").read_bytes() == b"2"


WRITES = [
    "touch {root}/new", "touch {root}/d/a", "echo x > {root}/d/a", "echo x >> {root}/d/a", "rm {root}/d/a",
    "rm -rf {root}/d", "mkdir {root}/e", "rmdir {root}/empty", "mv {root}/d/a {root}/d/b",
    "chmod 644 {root}/d/a", "chown 1 {root}/d/a", "truncate -s 0 {root}/d/a", "ln {root}/d/a {root}/l",
    "ln -s x {root}/s", "mknod {root}/p p", "touch -d 2001-01-01 {root}/d/a",
    "dd if=/dev/zero of={root}/d/a conv=notrunc count=1",
]  # fmt: skip


def test_everything_that_writes_is_refused_as_read_only(manager, put):
    put({"/d/a": b"1", "/empty/x": b""})
    root = manager.mount("images", "master").path
    for command in WRITES:
        done = subprocess.run(
            ["sh", "-c", command.format(root=root)], capture_output=True, text=True, check=False
        )
        assert done.returncode != 0, command
        assert "Read-only file system" in done.stderr, command
    with pytest.raises(OSError) as caught:  # noqa: PT011  the errno is what is looked at
        os.setxattr(f"{root}/d/a", "user.x", b"1")
    assert caught.value.errno == errno.EROFS
    assert files_below(Path(root)) == {"/d/a": b"1", "/empty/x": b""}


def test_a_corrupt_file_is_an_io_error_and_the_others_are_read(manager, put, store, tmp_path):
    good, bad = os.urandom(50_000), os.urandom(50_000)
    put({"/bad": bad})
    put({"/good": good})
    for pack in (tmp_path / "store" / "packs").rglob("*"):
        if pack.is_file() and bad[:64] in (content := pack.read_bytes()):
            at = content.index(bad[:64])
            with pack.open("r+b") as file:
                file.seek(at + 100)
                file.write(b"\0" if content[at + 100] else b"\1")
    root = Path(manager.mount("images", "master").path)
    with pytest.raises(OSError) as caught:  # noqa: PT011  the errno is what is looked at
        (root / "bad").read_bytes()
    assert caught.value.errno == errno.EIO
    assert (root / "good").read_bytes() == good
    target = Path(manager.list()[0].target)
    log = (target.parents[2] / "run" / "daemon.log").read_text()
    assert f"/{target.name}/bad: corrupt" in log  # repository, commit and path
