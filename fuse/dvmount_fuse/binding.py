"""The one module that knows the FUSE binding: mfusepy, on libfuse 3.

mfusepy's own callbacks answer a directory without attributes and copy every block twice. This subclass
overrides the raw callbacks: directories are answered with attributes (readdirplus), reads go into the reply
buffer, OPEN is answered with ENOSYS so that the kernel opens files by itself and keeps their pages, and what
is known of a commit never expires. The loop has one thread, the main one: under Python's lock more threads
read no faster, and libfuse's threads would be new to Python with every request, so that no thread-local
connection to a catalog would survive.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import logging
import os
import stat
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any

from jupyter_dvmount.store import Unavailable

from .activity import Activity
from .filesystem import FileSystem, Node, is_fixed
from .libfuse import INSTALL, find_library
from .listing import Listing

_library = find_library()
if _library is None:
    raise Unavailable("libfuse 3 is not installed", fix=INSTALL)
os.environ["FUSE_LIBRARY_PATH"] = _library
import mfusepy  # noqa: E402  the library has to be chosen first

log = logging.getLogger("jupyter_dvmount.fuse")

FOR_EVER = 1e9
"""Timeout of entries and attributes in the kernel, in seconds."""
REQUEST = 1 << 20
"""Largest read that the kernel may send, in bytes."""

_READDIRPLUS = 1  # FUSE_READDIR_PLUS, fuse.h
_FILL_PLUS = 2  # FUSE_FILL_DIR_PLUS, fuse.h
_BLOCK = 512  # unit of st_blocks
_WRITABLE = 0x200  # PyBUF_WRITE, CPython's buffer.h
_ENOATTR = errno.ENODATA

_ANSWERED = ("getattr", "open", "read", "opendir", "readdir", "releasedir", "statfs", "getxattr", "listxattr")
_REFUSED = (
    "chmod", "chown", "create", "fallocate", "link", "mkdir", "mknod", "removexattr", "rename", "rmdir",
    "setxattr", "symlink", "truncate", "unlink", "utimens", "write",
)  # fmt: skip
_SUFFIXED = {"chmod", "chown", "rename", "truncate", "utimens"}
"""Those of them whose methods mfusepy names after the version of libfuse."""

_view = ctypes.pythonapi.PyMemoryView_FromMemory
_view.restype = ctypes.py_object
_view.argtypes = [ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int]
_STAT_SIZE = ctypes.sizeof(mfusepy.c_stat)


def serve(filesystem: FileSystem, mountpoint: Path, activity: Activity) -> None:
    """Mount, and answer the kernel until the mount is gone. Must run in the main thread.

    Parameters
    ----------
    filesystem
        What is shown.
    mountpoint
        An existing directory.
    activity
        Told when the mount is there and what the loop does.

    Raises
    ------
    Unavailable
        If mounting failed; libfuse has written the reason to standard error.
    """
    try:
        _Fuse(filesystem, mountpoint, activity)
    except RuntimeError as error:
        raise Unavailable(f"mounting {mountpoint} failed: libfuse returned {error}") from error


def _template(mode: int, links: int) -> Any:
    """A stat structure with everything that all files, or all directories, have in common."""
    st = mfusepy.c_stat()
    st.st_mode, st.st_nlink = mode, links
    st.st_uid, st.st_gid = os.geteuid(), os.getegid()
    st.st_blksize = REQUEST  # what `cp` and friends read at once
    return st


def _bytes_in(pointer: Any, size: int) -> memoryview:
    view: memoryview = _view(ctypes.addressof(pointer.contents), size, _WRITABLE)
    return view


class _Fuse(mfusepy.FUSE):  # type: ignore[misc]
    """The callbacks; they return a number of bytes, 0, or a negative errno."""

    def __init__(self, filesystem: FileSystem, mountpoint: Path, activity: Activity) -> None:
        self._fs = filesystem
        self._activity = activity
        self._listings: dict[int, Listing] = {}
        self._handles = itertools.count(1)
        self._file = _template(stat.S_IFREG | 0o444, 1)
        self._directory = _template(stat.S_IFDIR | 0o555, 1)  # 1 link: "subdirectories are not counted"
        super().__init__(
            SimpleNamespace(use_ns=True, **dict.fromkeys((*_ANSWERED, *_REFUSED), True)),
            os.fspath(mountpoint),
            foreground=True,
            nothreads=True,
            ro=True,
            default_permissions=True,
            max_read=REQUEST,
            fsname="dvmount",
            subtype="dvmount",
        )

    def _wrapper(self, func: Any, *args: Any, **kwargs: Any) -> int:
        """Run a callback: keep time, and let no exception reach C."""
        self._activity.since = monotonic()
        try:
            return func(*args, **kwargs) or 0
        except OSError as error:
            return -(error.errno or errno.EIO)
        except Exception:
            log.exception("%s failed", func)
            return -errno.EIO
        finally:
            self._activity.since = 0.0

    def init_fuse_3(self, conn: Any, config: Any) -> None:
        """Called when the kernel has accepted the mount."""
        settings = config.contents
        settings.use_ino = 1
        settings.kernel_cache = 1
        settings.entry_timeout = settings.attr_timeout = FOR_EVER
        self._settings = settings  # libfuse's own, which lives as long as the loop
        conn.contents.max_read = conn.contents.max_readahead = REQUEST
        self._activity.mounted.set()

    def _stat(self, node: Node) -> Any:
        """The node as a C structure that the next call overwrites."""
        st = self._directory if node.directory else self._file
        st.st_ino = node.inode
        st.st_size = node.size
        st.st_blocks = -(-node.size // _BLOCK)
        st.st_mtimespec.tv_sec = st.st_ctimespec.tv_sec = st.st_atimespec.tv_sec = node.mtime
        return st

    def getattr_fuse_3(self, path: bytes, buf: Any, _info: Any) -> int:
        """Stat."""
        text = _text(path)
        try:
            node = self._fs.node(text)
        except OSError:
            # libfuse reads this behind the call, in the same thread: a timeout of its own for each answer
            self._settings.negative_timeout = FOR_EVER if is_fixed(text) else 0.0
            raise
        ctypes.memmove(buf, ctypes.byref(self._stat(node)), _STAT_SIZE)
        return 0

    def open(self, _path: bytes, _info: Any) -> int:
        """Tell the kernel once that it need not ask: it then opens and closes by itself and keeps pages."""
        return -errno.ENOSYS

    def read(self, path: bytes, buf: Any, size: int, offset: int, _info: Any) -> int:
        """Read straight into libfuse's reply buffer."""
        return self._fs.read(_text(path), _bytes_in(buf, size), size, offset)

    def opendir(self, path: bytes, info: Any) -> int:
        """Start a listing; the kernel may keep it if it cannot change."""
        text = _text(path)
        node = self._fs.node(text)
        handle = next(self._handles)
        self._listings[handle] = Listing(lambda: self._fs.entries(text))
        info.contents.fh = handle
        info.contents.cache_readdir = info.contents.keep_cache = int(node.tree is not None)
        return 0

    def readdir_fuse_3(self, _path: bytes, buf: Any, filler: Any, offset: int, info: Any, flags: int) -> int:
        """Fill entries with attributes, at nonzero offsets: else the kernel looks every name up."""
        plus = _FILL_PLUS if flags & _READDIRPLUS else 0
        for position, name, node in self._listings[info.contents.fh].after(offset):
            if node is None:
                full = filler(buf, name.encode(), None, position, 0)
            else:
                full = filler(buf, name.encode(), self._stat(node), position, plus)
            if full:
                break
        return 0

    def releasedir(self, _path: bytes, info: Any) -> int:
        """End a listing."""
        self._listings.pop(info.contents.fh, None)
        return 0

    def statfs(self, _path: bytes, buf: Any) -> int:
        """Nothing is free and nothing is used: the bytes are the store's."""
        ctypes.memset(buf, 0, ctypes.sizeof(mfusepy.c_statvfs))
        buf.contents.f_bsize = buf.contents.f_frsize = 4096
        buf.contents.f_namemax = 255
        return 0

    def getxattr(self, path: bytes, name: bytes, buf: Any, size: int, *_rest: Any) -> int:
        """One of `FileSystem.attributes`."""
        value = self._fs.attributes(_text(path)).get(name.decode(errors="replace")) if _ours(name) else None
        return -_ENOATTR if value is None else _reply(value, buf, size)

    def listxattr(self, path: bytes, buf: Any, size: int) -> int:
        """Names of `FileSystem.attributes`."""
        return _reply(b"".join(key.encode() + b"\0" for key in self._fs.attributes(_text(path))), buf, size)

    def _refuse(self, *_args: Any) -> int:
        return -errno.EROFS


for _name in _REFUSED:
    setattr(_Fuse, f"{_name}_fuse_3" if _name in _SUFFIXED else _name, _Fuse._refuse)


def _text(path: bytes) -> str:
    return path.decode(errors="surrogateescape")


def _ours(name: bytes) -> bool:
    return name.startswith(b"user.dvmount.")


def _reply(value: bytes, buf: Any, size: int) -> int:
    """Answer as xattr calls do: the length alone if the buffer has size 0, ERANGE if it is too small."""
    if size and size < len(value):
        return -errno.ERANGE
    if size and value:
        _bytes_in(buf, len(value))[:] = value
    return len(value)
