"""The messages of the kernel's FUSE protocol, version 7.31 and later, as bytes.

Source of every number and layout here: ``include/uapi/linux/fuse.h`` of the Linux kernel. Messages are in
the byte order of the machine, and their fields are aligned by themselves.
"""

from __future__ import annotations

import os
import stat
from enum import IntEnum
from struct import Struct

from .filesystem import Node

MAJOR, MINOR = 7, 31
REQUEST = 1 << 20
"""Largest read that the kernel may ask for, in bytes."""
REQUEST_BUFFER = 16 << 10
"""Room for one request of the kernel, in bytes; those of a file system that is only read are small."""
FOR_EVER = 1 << 40
"""Time in seconds for which the kernel may keep what cannot change."""

_PAGE = 4096
_BLOCK = 512  # unit of st_blocks
_BLOCK_SIZE = 128 << 10  # st_blksize: what Python, stdio and cp take for their buffers

# flags of INIT that are asked for if the kernel has them
_ASYNC_READ = 1 << 0
_DO_READDIRPLUS = 1 << 13
_ASYNC_DIO = 1 << 15
_NO_OPEN_SUPPORT = 1 << 17
_PARALLEL_DIROPS = 1 << 18
_MAX_PAGES = 1 << 22
_WANTED = _ASYNC_READ | _DO_READDIRPLUS | _ASYNC_DIO | _NO_OPEN_SUPPORT | _PARALLEL_DIROPS | _MAX_PAGES

_KEEP_CACHE = 1 << 1  # flags of OPEN
_CACHE_DIR = 1 << 3

_BACKGROUND = 64  # reads ahead that the kernel may have under way, beyond which it waits
_MAX_WRITE = 4096

REQUEST_HEAD = Struct("=IIQQIIIHH")
"""len, opcode, unique, node id, uid, gid, pid, length of extensions, padding."""
INIT_IN = Struct("=IIII")
_INIT_OUT = Struct("=IIIIHHIIHHIIH22x")
READ_IN = Struct("=QQII")
"""Handle, offset, size, flags: of READ, READDIR and READDIRPLUS."""
FORGET_IN = Struct("=Q")
BATCH_FORGET_IN = Struct("=II")
FORGET_ONE = Struct("=QQ")
INTERRUPT_IN = Struct("=Q")
GETXATTR_IN = Struct("=II")
HANDLE_IN = Struct("=Q")

_HEAD = Struct("=IiQ")
_ATTR = "QQQQQQIIIIIIIIII"
_ENTRY = Struct(f"=QQQQII{_ATTR}")
_ATTR_OUT = Struct(f"=QII{_ATTR}")
_DIRENT = Struct("=QQII")
_DIRENTPLUS = Struct(f"=QQQQII{_ATTR}QQII")
_OPEN_OUT = Struct("=QII")
_GETXATTR_OUT = Struct("=II")
_STATFS_OUT = Struct("=QQQQQIIII24x")

HEAD = _HEAD.size


class Op(IntEnum):
    """Kinds of requests that get an answer of their own."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    OPEN = 14
    READ = 15
    STATFS = 17
    RELEASE = 18
    GETXATTR = 22
    LISTXATTR = 23
    FLUSH = 25
    INIT = 26
    OPENDIR = 27
    READDIR = 28
    RELEASEDIR = 29
    INTERRUPT = 36
    DESTROY = 38
    BATCH_FORGET = 42
    READDIRPLUS = 44


WRITING = frozenset({4, 6, 8, 9, 10, 11, 12, 13, 16, 21, 24, 35, 43, 45, 47, 51})
"""SETATTR, SYMLINK, MKNOD, MKDIR, UNLINK, RMDIR, RENAME, LINK, WRITE, SETXATTR, REMOVEXATTR, CREATE,
FALLOCATE, RENAME2, COPY_FILE_RANGE, TMPFILE; the kernel itself refuses most of them on a read-only mount."""


_OWNER = (os.geteuid(), os.getegid(), 0)
_FILE = (0, 0, 0, stat.S_IFREG | 0o444, 1, *_OWNER, _BLOCK_SIZE, 0)
_DIRECTORY = (0, 0, 0, stat.S_IFDIR | 0o555, 1, *_OWNER, _BLOCK_SIZE, 0)  # 1 link: children are not counted
_TYPE = {False: stat.S_IFREG >> 12, True: stat.S_IFDIR >> 12}


def answer(unique: int, length: int, error: int = 0) -> bytes:
    """Head of the answer to a request, before ``length`` bytes; ``error`` is a positive errno."""
    return _HEAD.pack(HEAD + length, -error, unique)


def init_out(minor: int, readahead: int, offered: int) -> bytes:
    """Answer to INIT: what the kernel offered, as far as it is of use here."""
    return _INIT_OUT.pack(
        MAJOR, min(minor, MINOR), readahead, offered & _WANTED, _BACKGROUND, _BACKGROUND * 3 // 4, _MAX_WRITE,
        1, REQUEST // _PAGE, 0, 0, 0, 0,
    )  # fmt: skip


def _attributes(of: Node) -> tuple[int, ...]:
    size, mtime = of.size, of.mtime
    common = _DIRECTORY if of.directory else _FILE
    return (of.inode, size, -(-size // _BLOCK), mtime, mtime, mtime, *common)


def entry(of: Node) -> bytes:
    """Answer to LOOKUP; the kernel counts one reference to the node more."""
    return _ENTRY.pack(of.id, 0, FOR_EVER, FOR_EVER, 0, 0, *_attributes(of))


def no_entry() -> bytes:
    """Answer to LOOKUP: there is nothing, and never will be."""
    return _ENTRY.pack(0, 0, FOR_EVER, *(0,) * 19)


def attributes(of: Node) -> bytes:
    """Answer to GETATTR."""
    return _ATTR_OUT.pack(FOR_EVER, 0, 0, *_attributes(of))


def dirent(of: Node, name: bytes, offset: int) -> bytes:
    """One entry of an answer to READDIR; ``offset`` is where the next one begins."""
    length = len(name)
    return _DIRENT.pack(of.inode, offset, length, _TYPE[of.directory]) + name + bytes(-length % 8)


def direntplus(of: Node, name: bytes, offset: int) -> bytes:
    """One entry of an answer to READDIRPLUS; a node of 0 is one that the kernel does not keep."""
    size, mtime, length = of.size, of.mtime, len(name)
    return (
        _DIRENTPLUS.pack(
            of.id, 0, FOR_EVER, FOR_EVER, 0, 0,
            of.inode, size, -(-size // _BLOCK), mtime, mtime, mtime, *(_DIRECTORY if of.directory else _FILE),
            of.inode, offset, length, _TYPE[of.directory],
        )
        + name
        + bytes(-length % 8)
    )  # fmt: skip


def open_out(handle: int, *, fixed: bool) -> bytes:
    """Answer to OPENDIR; the kernel keeps a listing that cannot change."""
    return _OPEN_OUT.pack(handle, _KEEP_CACHE | _CACHE_DIR if fixed else 0, 0)


def xattr_size(size: int) -> bytes:
    """Answer to GETXATTR and LISTXATTR that asked for the size alone."""
    return _GETXATTR_OUT.pack(size, 0)


def statfs() -> bytes:
    """Answer to STATFS: nothing is free and nothing is used; the bytes are the store's."""
    return _STATFS_OUT.pack(0, 0, 0, 0, 0, _PAGE, 255, _PAGE, 0)
