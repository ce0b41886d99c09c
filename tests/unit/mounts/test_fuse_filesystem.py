from __future__ import annotations

import errno

import pytest

from dvmount_fuse.filesystem import ROOT as ROOT_ID
from dvmount_fuse.filesystem import FileSystem, is_fixed

COMMIT = "0123456789abcdef" * 2
ROOT = f"/s1/team~images@{COMMIT}"


def at(filesystem, path):
    """The id of what is at a path, as the kernel finds it: name by name."""
    found = ROOT_ID
    for name in filter(None, path.split("/")):
        found = filesystem.lookup(found, name.encode()).id
        filesystem.hold(found)
    return found


def node(filesystem, path):
    return filesystem.node(at(filesystem, path))


def entries(filesystem, path):
    return filesystem.entries(at(filesystem, path))


def read(filesystem, path, length=100, offset=0):
    return b"".join(filesystem.read(at(filesystem, path), offset, length))


def error_of(call, *args):
    with pytest.raises(OSError) as caught:  # noqa: PT011  the errno is what is looked at
        call(*args)
    return caught.value.errno


def test_a_file_reads_as_it_was_put(filesystem):
    assert read(filesystem, f"{ROOT}/a.txt") == b"alpha"
    assert read(filesystem, f"{ROOT}/a.txt", 3, 1) == b"lph"
    assert read(filesystem, f"{ROOT}/a.txt", 10, 5) == b""
    assert read(filesystem, f"{ROOT}/a.txt", 10, 5000) == b""
    assert read(filesystem, f"{ROOT}/empty") == b""


@pytest.mark.parametrize(
    "path",
    [
        "/other",
        f"/s1/images@{COMMIT}",
        f"/s1/team~images@{'f' * 32}",
        "/s1/nonsense",
        f"{ROOT}/no",
        "/s1/x@abc",
    ],
)
def test_what_is_not_there_is_enoent(filesystem, path):
    assert error_of(at, filesystem, path) == errno.ENOENT


def test_a_file_is_no_directory_and_a_directory_is_no_file(filesystem):
    assert error_of(read, filesystem, f"{ROOT}/deep") == errno.EISDIR
    assert error_of(read, filesystem, ROOT) == errno.EISDIR
    assert error_of(list, entries(filesystem, f"{ROOT}/a.txt")) == errno.ENOTDIR


def test_corrupt_bytes_are_an_io_error_logged_with_their_path(filesystem, reader, caplog):
    reader.broken.add("/a.txt")
    assert error_of(read, filesystem, f"{ROOT}/a.txt") == errno.EIO
    assert f"{ROOT}/a.txt" in caplog.text
    assert "corrupt" in caplog.text


def test_a_short_read_is_an_error_and_never_zeros(filesystem, reader):
    reader.short.add("/a.txt")
    assert error_of(read, filesystem, f"{ROOT}/a.txt") == errno.EIO


def test_a_listing_tells_names_types_and_sizes(filesystem):
    listed = {name: (found.directory, found.size) for name, found in entries(filesystem, ROOT)}
    assert listed == {b"a.txt": (False, 5), b"deep": (True, 0), b"empty": (False, 0)}
    assert [name for name, _ in entries(filesystem, "/")] == [b"s1"]
    assert [name for name, _ in entries(filesystem, "/s1")] == [ROOT.rpartition("/")[2].encode()]


def test_the_same_commit_looks_the_same_in_another_daemon(filesystem, stores):
    again = FileSystem(stores)
    for path in (ROOT, f"{ROOT}/a.txt", f"{ROOT}/deep/er/b.bin"):
        one, other = node(filesystem, path), node(again, path)
        assert (one.inode, one.mtime, one.size) == (other.inode, other.mtime, other.size)
    inodes = {found.inode for _, found in entries(filesystem, ROOT)}
    assert len(inodes) == 3


def test_a_node_is_the_same_by_lookup_and_by_listing(filesystem, stores):
    listed = dict(entries(filesystem, ROOT))
    for name, found in listed.items():
        looked_up = filesystem.lookup(at(filesystem, ROOT), name)
        assert (looked_up.id, looked_up.inode, looked_up.size) == (found.id, found.inode, found.size)
    fresh = FileSystem(stores)
    assert {n: f.inode for n, f in listed.items()} == {n: f.inode for n, f in entries(fresh, ROOT)}


def test_only_names_below_a_commit_may_be_remembered_as_missing(filesystem):
    assert not is_fixed(ROOT_ID)
    assert not is_fixed(at(filesystem, "/s1"))
    assert is_fixed(at(filesystem, ROOT))
    assert is_fixed(at(filesystem, f"{ROOT}/a.txt"))


def test_a_name_that_is_no_text_does_not_exist(filesystem):
    for parent in ("/", "/s1", ROOT):
        assert error_of(filesystem.lookup, at(filesystem, parent), b"\xff\xfe") == errno.ENOENT


def test_readers_that_the_kernel_has_forgotten_are_let_go_and_no_others(stores, monkeypatch):
    monkeypatch.setattr(stores, "read", lambda store, repo, commit: stores.readers[store])
    filesystem = FileSystem(stores, commits=3)
    directories = [f"/s1/team~images@{number:032x}" for number in range(10)]
    held = at(filesystem, f"{directories[0]}/a.txt")
    for directory in directories:
        found = at(filesystem, directory)
        filesystem.release(found, 1)
    assert filesystem.open_commits <= 3
    assert b"".join(filesystem.read(held, 0, 5)) == b"alpha"
    filesystem.release(held, 2)  # the directory and the file
    for directory in directories[1:5]:
        filesystem.release(at(filesystem, directory), 1)
    assert error_of(filesystem.read, held, 0, 5) == errno.ESTALE


def test_extended_attributes_tell_where_a_file_comes_from(filesystem):
    attributes = filesystem.attributes(at(filesystem, f"{ROOT}/a.txt"))
    assert attributes["user.dvmount.commit"] == COMMIT.encode()
    assert attributes["user.dvmount.repo"] == b"team/images"
    assert attributes["user.dvmount.path"] == b"/a.txt"
    assert attributes["user.dvmount.hash"] == b"ab" * 32
    assert filesystem.attributes(at(filesystem, "/s1")) == {}
