"""The one module that knows how the kernel asks: FUSE requests, taken from /dev/fuse and answered.

Why no library stands between: answers have to be possible later than the call and from another thread, or a
store that does not answer would stop every mount; node ids have to be ours, or memory would grow with every
name that the kernel keeps; and plain Python on the device is faster than Python behind a C library's
callbacks (``docs/mount.md``).
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from . import wire
from .crew import Crew, Job
from .filesystem import FileSystem, Node, is_fixed
from .inhand import InHand
from .lanes import Lanes
from .listing import Listing
from .wire import Op

log = logging.getLogger("jupyter_dvmount.fuse")

TICK = 0.25
"""Seconds between two looks for requests that are late."""

Payload = bytes | list[memoryview]

_NOTHING = b""
_MAX_PARTS = os.sysconf("SC_IOV_MAX")
_GONE = {errno.ENODEV, errno.EBADF}
_AGAIN = {errno.EINTR, errno.EAGAIN, errno.ENOENT}  # ENOENT: the request was taken back in this moment
_XATTR_PREFIX = b"user.dvmount."


class _Request(NamedTuple):
    unique: int
    node: int
    body: memoryview
    """What follows the head; overwritten by the thread's next request."""


class Session:
    """Answers the kernel until the mount is gone.

    Parameters
    ----------
    filesystem
        What is shown.
    device
        Descriptor of /dev/fuse, attached to a mountpoint. It is left open: a thread that comes back late may
        still answer there, and to no other file that got the same number.
    in_hand
        Told what is being done.
    """

    def __init__(self, filesystem: FileSystem, device: int, in_hand: InHand) -> None:
        self._fs = filesystem
        self._device = device
        self._in_hand = in_hand
        self._crew = Crew(self._next_request, wire.REQUEST_BUFFER)
        self._lanes = Lanes()
        self._listings: dict[int, Listing] = {}
        self._handles = itertools.count(1)
        self._calls: dict[int, Callable[[_Request], Payload]] = {
            Op.INIT: self._init,
            Op.LOOKUP: self._lookup,
            Op.GETATTR: self._getattr,
            Op.OPENDIR: self._opendir,
            Op.READDIR: self._readdir,
            Op.READDIRPLUS: self._readdirplus,
            Op.RELEASEDIR: self._releasedir,
            Op.STATFS: self._statfs,
            Op.GETXATTR: self._getxattr,
            Op.LISTXATTR: self._listxattr,
            Op.DESTROY: self._destroy,
        }

    def run(self) -> None:
        """Serve; returns when it has been unmounted and nobody has a file open. Other threads answer."""
        self._crew.start()
        while not self._crew.ended.wait(TICK):
            for unique, number in self._in_hand.expired():
                log.error("a request has had no answer for too long and ends with %s", os.strerror(number))
                self._send(unique, number, _NOTHING)

    def end(self) -> None:
        """Have `run` return though files are still open."""
        self._crew.ended.set()

    def _next_request(self, buffer: memoryview) -> Job | None:
        """Wait for a request; None when there will be none any more."""
        while True:
            try:
                length = os.readv(self._device, [buffer])
            except OSError as error:
                if error.errno in _AGAIN:
                    continue
                if error.errno not in _GONE:
                    log.error("reading the kernel's requests failed: %s", error)
                return None
            return partial(self._take, buffer[:length])

    def _take(self, message: memoryview) -> None:
        """Do what a request asks for; nothing that goes wrong may end the thread."""
        try:
            self._dispatch(message)
        except Exception:
            log.exception("a request failed")

    def _dispatch(self, message: memoryview) -> None:
        _, op, unique, node, _, _, _, extended, _ = wire.REQUEST_HEAD.unpack_from(message)
        body = message[wire.REQUEST_HEAD.size : len(message) - 8 * extended]
        request = _Request(unique, node, body)
        if op == Op.READ:
            self._take_read(request)
        elif op == Op.FORGET:
            self._fs.release(node, *wire.FORGET_IN.unpack_from(body))
        elif op == Op.BATCH_FORGET:
            self._forget_many(body)
        elif op == Op.INTERRUPT:
            self._in_hand.interrupt(*wire.INTERRUPT_IN.unpack_from(body))
        elif op in self._calls:
            self._in_hand.begin(unique)
            self._answer(unique, partial(self._calls[op], request))
        else:  # OPEN among them: the kernel is told once that it need not ask, and keeps the pages
            self._send(unique, errno.EROFS if op in wire.WRITING else errno.ENOSYS, _NOTHING)

    def _answer(self, unique: int, call: Callable[[], Payload]) -> None:
        number = 0
        payload: Payload = _NOTHING
        try:
            payload = call()
        except OSError as error:
            number = error.errno or errno.EIO
        except Exception:
            log.exception("a request failed")
            number = errno.EIO
        if self._in_hand.end(unique):
            self._send(unique, number, payload)

    def _send(self, unique: int, number: int, payload: Payload) -> None:
        if not isinstance(payload, list):
            payload = [memoryview(payload)]
        elif len(payload) >= _MAX_PARTS:
            payload = [memoryview(b"".join(payload))]
        head = wire.answer(unique, sum(map(len, payload)), number)
        try:
            os.writev(self._device, [head, *payload])
        except OSError as error:
            if error.errno not in {*_GONE, errno.ENOENT}:  # ENOENT: whoever asked is gone
                log.error("answering the kernel failed: %s", error)
                if not number:  # any answer is better than none
                    self._send(unique, errno.EIO, _NOTHING)

    # names

    def _lookup(self, request: _Request) -> Payload:
        try:
            node = self._fs.lookup(request.node, bytes(request.body[:-1]))
        except OSError as error:
            if error.errno == errno.ENOENT and is_fixed(request.node):
                return wire.no_entry()
            raise
        self._fs.hold(node.id)
        return wire.entry(node)

    def _getattr(self, request: _Request) -> Payload:
        return wire.attributes(self._fs.node(request.node))

    def _forget_many(self, body: memoryview) -> None:
        count, _ = wire.BATCH_FORGET_IN.unpack_from(body)
        start = wire.BATCH_FORGET_IN.size
        for node, times in wire.FORGET_ONE.iter_unpack(body[start : start + count * wire.FORGET_ONE.size]):
            self._fs.release(node, times)

    # directories

    def _opendir(self, request: _Request) -> Payload:
        node = self._fs.node(request.node)
        if not node.directory:
            raise OSError(errno.ENOTDIR, "not a directory")
        unkept = Node(0, node.inode, True, 0, node.mtime)
        handle = next(self._handles)
        dots = [(b".", unkept), (b"..", unkept)]
        self._listings[handle] = Listing(dots, partial(self._fs.entries, request.node))
        return wire.open_out(handle, fixed=is_fixed(request.node))

    def _readdirplus(self, request: _Request) -> Payload:
        packed, kept = self._pack(request, wire.direntplus)
        self._fs.hold(request.node, kept)  # before the answer: the kernel may forget at once
        return packed

    def _readdir(self, request: _Request) -> Payload:
        return self._pack(request, wire.dirent)[0]

    def _pack(self, request: _Request, pack: Callable[[Node, bytes, int], bytes]) -> tuple[bytes, int]:
        """What fits of a listing, and how many of these entries the kernel will refer to."""
        handle, offset, room, _ = wire.READ_IN.unpack_from(request.body)
        packed, kept = [], 0
        listing = self._listings[handle]
        with listing.lock:
            for position, (name, node) in enumerate(listing.after(offset), offset + 1):
                entry = pack(node, name, position)
                room -= len(entry)
                if room < 0:
                    break
                packed.append(entry)
                kept += node.id != 0
        return b"".join(packed), kept

    def _releasedir(self, request: _Request) -> Payload:
        self._listings.pop(wire.HANDLE_IN.unpack_from(request.body)[0], None)
        return _NOTHING

    # contents

    def _take_read(self, request: _Request) -> None:
        """Read in the lane of the store, perhaps later and in another thread."""
        unique, node = request.unique, request.node
        _, offset, size, _ = wire.READ_IN.unpack_from(request.body)
        self._in_hand.begin(unique)
        self._lanes.run(self._fs.store_of(node), partial(self._read, unique, node, offset, size))

    def _read(self, unique: int, node: int, offset: int, size: int) -> None:
        if not self._in_hand.waits(unique):
            return
        self._answer(unique, partial(self._fs.read, node, offset, size))
        if not offset:
            self._read_on(node)

    def _read_on(self, node: int) -> None:
        """What is behind the answer: nobody waits for it, and nothing that goes wrong is told anybody."""
        try:
            self._fs.read_on(node)
        except Exception:
            log.debug("reading ahead failed", exc_info=True)

    # the rest

    def _init(self, request: _Request) -> Payload:
        major, minor, readahead, offered = wire.INIT_IN.unpack_from(request.body)
        if (major, minor) < (wire.MAJOR, wire.MINOR):
            log.error("the kernel speaks FUSE %d.%d; 7.31 (Linux 5.4) is needed", major, minor)
            raise OSError(errno.EPROTO, "kernel too old")
        self._in_hand.mounted.set()
        return wire.init_out(minor, readahead, offered)

    def _statfs(self, _request: _Request) -> Payload:
        return wire.statfs()

    def _getxattr(self, request: _Request) -> Payload:
        room, _ = wire.GETXATTR_IN.unpack_from(request.body)
        name = bytes(request.body[wire.GETXATTR_IN.size : -1])
        if name.startswith(_XATTR_PREFIX):
            value = self._fs.attributes(request.node).get(name.decode(errors="replace"))
            if value is not None:
                return _fitting(value, room)
        raise OSError(errno.ENODATA, "no such attribute")

    def _listxattr(self, request: _Request) -> Payload:
        room, _ = wire.GETXATTR_IN.unpack_from(request.body)
        names = self._fs.attributes(request.node)
        return _fitting(b"".join(name.encode() + b"\0" for name in names), room)

    def _destroy(self, _request: _Request) -> Payload:
        return _NOTHING


def _fitting(value: bytes, room: int) -> bytes:
    """Answer as xattr calls do: the size alone if there is no room, ERANGE if there is too little."""
    if not room:
        return wire.xattr_size(len(value))
    if room < len(value):
        raise OSError(errno.ERANGE, "too little room")
    return value
