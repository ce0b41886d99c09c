"""Every byte and every name, however it is asked for."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import random
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.mounts.trees import files_below

pytestmark = pytest.mark.usefixtures("fuse")

NAME = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=12
)
CONTENT = st.one_of(
    st.binary(max_size=300),
    st.tuples(st.integers(0, 2**32), st.sampled_from([4096, 262_144, 262_145, 1_100_000])).map(
        lambda drawn: random.Random(drawn[0]).randbytes(drawn[1])
    ),
)  # fmt: skip


@st.composite
def trees(draw):
    """Files at paths that can exist together."""
    tree = {}
    for _ in range(draw(st.integers(1, 12))):
        path = ""
        for name in draw(st.lists(NAME, min_size=1, max_size=4)):
            path += "/" + (name if name.strip(".") else f"{name}x")
        above = [str(parent) for parent in Path(path).parents]
        if len(path.encode()) < 200 and not any(
            other == path or other in above or other.startswith(f"{path}/") for other in tree
        ):
            tree[path] = draw(CONTENT)
    return tree


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=trees())
def test_any_tree_is_shown_as_it_was_put(manager, store, tree):
    name = f"r{len(list(store.list_repos()))}"
    store.create_repo(name)
    with store.modify(name, "master") as writer:
        for path, content in tree.items():
            writer.put(path, content)
    root = Path(manager.mount(name, "master").path)
    shown = files_below(root)
    assert shown.keys() == tree.keys()
    assert [path for path in tree if sha256(shown[path]).digest() != sha256(tree[path]).digest()] == []
    for place, directories, files in os.walk(root):
        entries = {entry.name: entry for entry in os.scandir(place)}
        assert sorted(entries) == sorted([*directories, *files])
        for entry in entries.values():
            status = entry.stat(follow_symlinks=False)
            assert entry.inode() == status.st_ino == os.lstat(entry.path).st_ino
            assert entry.is_dir() == stat.S_ISDIR(status.st_mode)
            assert entry.is_file() == stat.S_ISREG(status.st_mode)
            assert status.st_blocks == -(-status.st_size // 512)
            assert status.st_nlink == 1


def content_of_all_kinds(size):
    """Bytes in which chunks compress, do not compress, and repeat."""
    chance = random.Random(7)
    content = bytearray()
    while len(content) < size:
        kind = chance.randrange(3)
        length = chance.randrange(1, 700_000)
        if kind == 0:
            content += chance.randbytes(length)
        elif kind == 1:
            content += bytes(chance.choices(b"ab", k=1000)) * (length // 1000)
        else:
            start = chance.randrange(len(content) + 1)
            content += content[start : start + length]
    return bytes(content[:size])


def test_any_way_to_read_gives_the_same_bytes(manager, put):
    """In the manner of fsx: random operations on two descriptors, compared with what was put."""
    content = content_of_all_kinds(6_000_123)
    size = len(content)
    put({"/f": content})
    path = Path(manager.mount("images", "master").path) / "f"
    chance = random.Random(11)
    plain, direct = os.open(path, os.O_RDONLY), os.open(path, os.O_RDONLY | os.O_DIRECT)
    null = os.open("/dev/null", os.O_WRONLY)
    mapped = mmap.mmap(plain, 0, prot=mmap.PROT_READ)
    aligned = mmap.mmap(-1, 1 << 20)  # O_DIRECT wants memory at a page

    def pread(offset, length):
        return os.pread(plain, length, offset)

    def seek_and_read(offset, length):
        os.lseek(plain, offset, os.SEEK_SET)
        return os.read(plain, length)

    def read_mapped(offset, length):
        return mapped[offset : offset + length]

    def read_vector(offset, length):
        first, second = bytearray(length // 2), bytearray(length - length // 2)
        got = os.preadv(plain, [first, second], offset)
        return bytes(first + second)[:got]

    def read_direct(offset, length):
        start = offset & ~4095
        got = os.preadv(direct, [memoryview(aligned)[: (offset - start + length + 4095) & ~4095]], start)
        return aligned[offset - start : min(offset - start + length, got)]

    def send(offset, length):
        read_end, write_end = os.pipe()
        try:
            sent = os.sendfile(write_end, plain, offset, min(length, 60_000))
            return os.read(read_end, sent) if sent else b""
        finally:
            os.close(read_end)
            os.close(write_end)

    def splice(offset, length):
        read_end, write_end = os.pipe()
        try:
            moved = os.splice(plain, write_end, min(length, 60_000), offset_src=offset)
            return os.read(read_end, moved) if moved else b""
        finally:
            os.close(read_end)
            os.close(write_end)

    def forget(offset, length):
        os.posix_fadvise(plain, offset & ~4095, length, os.POSIX_FADV_DONTNEED)
        return pread(offset, length)

    ways = [pread, seek_and_read, read_mapped, read_vector, read_direct, send, splice, forget]
    try:
        for step in range(600):
            way = chance.choice(ways)
            offset = chance.choice([0, size - 1, size, size - 4096, chance.randrange(size)])
            length = chance.choice([1, 3, 4096, 65_537, chance.randrange(1, 900_000)])
            got = way(offset, length)
            wanted = content[offset : offset + length]
            whole = way not in (read_direct, send, splice)  # those may stop earlier
            assert got == (wanted if whole else wanted[: len(got)]), (step, way.__name__, offset, length)
        assert mapped[:] == content
        assert sha256(path.read_bytes()).digest() == sha256(content).digest()
    finally:
        mapped.close()
        for descriptor in (plain, direct, null):
            os.close(descriptor)


@pytest.fixture
def libc():
    found = ctypes.CDLL(None, use_errno=True)
    found.opendir.restype = found.readdir.restype = ctypes.c_void_p
    found.opendir.argtypes = [ctypes.c_char_p]
    found.readdir.argtypes = found.rewinddir.argtypes = found.closedir.argtypes = [ctypes.c_void_p]
    found.telldir.argtypes, found.telldir.restype = [ctypes.c_void_p], ctypes.c_long
    found.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
    return found


class Dirent(ctypes.Structure):
    """``struct dirent`` of glibc on 64 bits."""

    _fields_ = (
        ("ino", ctypes.c_uint64), ("off", ctypes.c_int64), ("reclen", ctypes.c_uint16),
        ("type", ctypes.c_uint8), ("name", ctypes.c_char * 256),
    )  # fmt: skip


def test_a_directory_can_be_read_from_any_place_again_and_again(manager, put, libc):
    put({f"/d/{number:05}": b"x" for number in range(3000)} | {"/d/sub/x": b""})
    place = Path(manager.mount("images", "master").path) / "d"
    opened = libc.opendir(os.fsencode(place))
    assert opened

    def entries():
        while address := libc.readdir(opened):
            yield Dirent.from_address(address)

    seen, places = [], [libc.telldir(opened)]
    for entry in entries():
        seen.append((entry.name, entry.type, entry.ino))
        places.append(libc.telldir(opened))
    names = [name for name, _, _ in seen]
    assert names[:2] == [b".", b".."]
    assert names[2:] == [*(b"%05d" % number for number in range(3000)), b"sub"]
    assert {kind for name, kind, _ in seen if name not in (b".", b"..", b"sub")} == {8}  # DT_REG
    assert {name: kind for name, kind, _ in seen}[b"sub"] == 4  # DT_DIR
    assert seen[0][2] == place.stat().st_ino
    chance = random.Random(1)
    for _ in range(40):
        at = chance.randrange(len(seen))
        libc.seekdir(opened, places[at])
        assert next(entries()).name == names[at]
    libc.rewinddir(opened)
    assert [entry.name for entry in entries()] == names
    libc.closedir(opened)


def error_of(call, *arguments):
    with pytest.raises(OSError) as caught:  # noqa: PT011  the errno is what is looked at
        call(*arguments)
    return caught.value.errno


def test_errors_are_those_of_a_local_disk(manager, put):
    put({"/a": b"1", "/d/b": b"2"})
    root = manager.mount("images", "master").path
    assert error_of(os.stat, f"{root}/{'n' * 256}") in {errno.ENAMETOOLONG, errno.ENOENT}
    assert error_of(os.stat, f"{root}/a/b") == errno.ENOTDIR
    assert error_of(os.listdir, f"{root}/a") == errno.ENOTDIR
    assert error_of(os.readlink, f"{root}/a") == errno.EINVAL
    descriptor = os.open(f"{root}/d", os.O_RDONLY)
    assert error_of(os.read, descriptor, 1) == errno.EISDIR
    os.close(descriptor)
    assert os.statvfs(root).f_flag & os.ST_RDONLY
    assert os.statvfs(root).f_namemax == 255
    descriptor = os.open(f"{root}/a", os.O_RDONLY)
    assert error_of(os.lseek, descriptor, 5, os.SEEK_DATA) == errno.ENXIO
    assert os.lseek(descriptor, 0, os.SEEK_HOLE) == 1
    assert error_of(os.write, descriptor, b"x") == errno.EBADF
    os.close(descriptor)


def test_an_attribute_that_does_not_fit_says_so(manager, put, libc):
    put({"/a": b"1"})
    path = os.fsencode(f"{manager.mount('images', 'master').path}/a")
    libc.getxattr.restype = ctypes.c_ssize_t
    assert libc.getxattr(path, b"user.dvmount.commit", None, 0) == 32
    assert libc.getxattr(path, b"user.dvmount.commit", ctypes.create_string_buffer(5), 5) == -1
    assert ctypes.get_errno() == errno.ERANGE
    libc.listxattr.restype = ctypes.c_ssize_t
    assert libc.listxattr(path, ctypes.create_string_buffer(3), 3) == -1
    assert ctypes.get_errno() == errno.ERANGE


def test_a_descriptor_is_read_on_after_exec_and_scripts_run_from_the_mount(manager, put):
    tool = b"import os, sys; print(os.read(int(sys.argv[1]), 9000)[-3:].decode())"
    put({"/f": b"x" * 100_000 + b"end", "/tool.py": tool})
    root = Path(manager.mount("images", "master").path)
    descriptor = os.open(root / "f", os.O_RDONLY)
    try:
        os.lseek(descriptor, 99_000, os.SEEK_SET)
        words = [sys.executable, root / "tool.py", str(descriptor)]
        done = subprocess.run(words, pass_fds=[descriptor], capture_output=True, check=True)
        assert done.stdout == b"end\n"
        assert os.read(descriptor, 1) == b""  # the place in the file is shared, as everywhere
    finally:
        os.close(descriptor)


def test_forked_processes_and_threads_read_through_one_descriptor(manager, put):
    content = content_of_all_kinds(3_000_000)
    put({"/f": content})
    descriptor = os.open(Path(manager.mount("images", "master").path) / "f", os.O_RDONLY)
    parts = range(0, len(content), 100_000)

    def right(start):
        return os.pread(descriptor, 100_000, start) == content[start : start + 100_000]

    children = []
    for number in range(4):
        child = os.fork()
        if not child:
            os._exit(0 if all(right(start) for start in parts[number::4]) else 1)
        children.append(child)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, parts))
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    os.close(descriptor)
