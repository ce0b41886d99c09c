from __future__ import annotations

import errno

import pytest

from dvmount_fuse.filesystem import FileSystem, is_fixed

COMMIT = "0123456789abcdef" * 2
ROOT = f"/s1/team~images@{COMMIT}"


def read(filesystem, path, length=100, offset=0):
    buffer = bytearray(length)
    got = filesystem.read(path, memoryview(buffer), length, offset)
    return bytes(buffer[:got])


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
    assert error_of(filesystem.node, path) == errno.ENOENT


def test_a_file_is_no_directory_and_a_directory_is_no_file(filesystem):
    assert error_of(read, filesystem, f"{ROOT}/deep") == errno.EISDIR
    assert error_of(read, filesystem, ROOT) == errno.EISDIR
    assert error_of(list, filesystem.entries(f"{ROOT}/a.txt")) == errno.ENOTDIR


def test_corrupt_bytes_are_an_io_error_logged_with_their_path(filesystem, reader, caplog):
    reader.broken.add("/a.txt")
    assert error_of(read, filesystem, f"{ROOT}/a.txt") == errno.EIO
    assert f"{ROOT}/a.txt" in caplog.text
    assert "corrupt" in caplog.text


def test_a_short_read_is_an_error_and_never_zeros(filesystem, reader):
    reader.short.add("/a.txt")
    assert error_of(read, filesystem, f"{ROOT}/a.txt") == errno.EIO


def test_a_listing_tells_names_types_and_sizes(filesystem):
    listed = {name: (node.directory, node.size) for name, node in filesystem.entries(ROOT)}
    assert listed == {"a.txt": (False, 5), "deep": (True, 0), "empty": (False, 0)}
    assert [name for name, _ in filesystem.entries("/")] == ["s1"]
    assert [name for name, _ in filesystem.entries("/s1")] == [ROOT.rpartition("/")[2]]


def test_the_same_commit_looks_the_same_in_another_daemon(filesystem, stores):
    again = FileSystem(stores)
    for path in (ROOT, f"{ROOT}/a.txt", f"{ROOT}/deep/er/b.bin"):
        one, other = filesystem.node(path), again.node(path)
        assert (one.inode, one.mtime, one.size) == (other.inode, other.mtime, other.size)
    inodes = {node.inode for _, node in filesystem.entries(ROOT)}
    assert len(inodes) == 3


def test_an_inode_is_the_same_by_lookup_and_by_listing(filesystem, stores):
    listed = {name: node.inode for name, node in filesystem.entries(ROOT)}
    fresh = FileSystem(stores)
    assert listed == {name: fresh.node(f"{ROOT}/{name}").inode for name in listed}


def test_only_names_below_a_commit_may_be_remembered_as_missing():
    assert not is_fixed("/")
    assert not is_fixed("/s1")
    assert not is_fixed(ROOT)
    assert is_fixed(f"{ROOT}/anything")


def test_caches_stay_within_their_bounds(stores, reader):
    reader.files.update({f"/many/{number:05}": b"x" for number in range(5000)})
    filesystem = FileSystem(stores, nodes=100)
    assert sum(1 for _ in filesystem.entries(f"{ROOT}/many")) == 5000
    assert len(filesystem._nodes) <= 100
    assert read(filesystem, f"{ROOT}/many/00000") == b"x"


def test_extended_attributes_tell_where_a_file_comes_from(filesystem):
    attributes = filesystem.attributes(f"{ROOT}/a.txt")
    assert attributes["user.dvmount.commit"] == COMMIT.encode()
    assert attributes["user.dvmount.repo"] == b"team/images"
    assert attributes["user.dvmount.path"] == b"/a.txt"
    assert attributes["user.dvmount.hash"] == b"ab" * 32
    assert filesystem.attributes("/s1") == {}
