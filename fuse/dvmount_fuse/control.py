"""The daemon's control socket: small msgpack messages, each behind its length, answered one by one."""

from __future__ import annotations

import logging
import os
import socket
import socketserver
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import msgspec

from jupyter_dvmount.store import StoreError, Unavailable

log = logging.getLogger("jupyter_dvmount.fuse")

_LENGTH = struct.Struct(">I")
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid
MAX_MESSAGE = 1 << 16
PATIENCE = 2.0
"""Seconds that either side waits for the other's bytes."""


class Ping(msgspec.Struct, frozen=True, tag=True):
    """Asks how the daemon is."""


class Resolve(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Asks the daemon to have a commit ready: its metadata are read before the answer comes."""

    store: str
    directory: str


class Stop(msgspec.Struct, frozen=True, tag=True):
    """Asks the daemon to unmount and end."""


class Status(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """How the daemon is.

    Parameters
    ----------
    pid, mountpoint
        Who answers.
    mounted
        Whether the kernel has accepted the mount, and nobody has taken it away.
    lost
        Whether the kernel had accepted it, and somebody has taken it away.
    commits
        Commits with an open reader.
    rss
        Resident memory in bytes.
    busy
        Seconds that the FUSE request in hand has been running, 0 if there is none.
    """

    pid: int
    mountpoint: str
    mounted: bool
    lost: bool = False
    commits: int
    rss: int
    busy: float


class Done(msgspec.Struct, frozen=True, tag=True):
    """It has been done."""


class Failed(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """It could not be done: a `StoreError` on its way."""

    code: str
    message: str
    fix: str = ""


Request = Ping | Resolve | Stop
Answer = Status | Done | Failed

_requests = msgspec.msgpack.Decoder(Request)
_answers = msgspec.msgpack.Decoder(Answer)


def ask(path: Path, request: Request, *, timeout: float = PATIENCE) -> Answer:
    """Send one request and wait for its answer.

    Parameters
    ----------
    path
        Of the socket.
    request
        What to ask.
    timeout
        Seconds to wait for each part of the exchange.

    Raises
    ------
    Unavailable
        If nobody answers in time, or somebody else than the own user does.
    """
    try:
        with _address(path) as address, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(address)
            if not _is_own(connection):
                raise Unavailable(f"{path} is served by another user")
            _send(connection, msgspec.msgpack.encode(request))
            answer: Answer = _answers.decode(_receive(connection))
            return answer
    except (OSError, EOFError, msgspec.DecodeError) as error:
        raise Unavailable(f"the mount daemon does not answer: {error or type(error).__name__}") from error


class Server(socketserver.ThreadingUnixStreamServer):
    """Answers requests at a socket that only the own user can reach.

    Parameters
    ----------
    path
        Where to listen; a socket left over from a dead daemon is replaced.
    answer
        Called in a thread a request.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: Path, answer: Callable[[Request], Answer]) -> None:
        self.answer = answer
        self.path = path
        path.unlink(missing_ok=True)
        with _address(path) as address:
            super().__init__(address, _Handler)
        path.chmod(0o600)

    def start(self) -> None:
        """Serve in a thread of its own."""
        Thread(target=self.serve_forever, name="control", daemon=True).start()

    def verify_request(self, request: object, client_address: object) -> bool:
        """Refuse other users, whatever the permissions of the directory say."""
        if isinstance(request, socket.socket) and _is_own(request):
            return True
        log.warning("refused a connection of another user to the control socket")
        return False

    def handle_error(self, request: object, client_address: object) -> None:
        """Log what `socketserver` would print."""
        log.debug("a control connection ended", exc_info=True)


class _Handler(socketserver.BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        connection: socket.socket = self.request
        connection.settimeout(PATIENCE)
        try:
            request = _requests.decode(_receive(connection))
        except msgspec.DecodeError as error:
            answer: Answer = Failed(code="invalid", message=f"not a request: {error}")
        else:
            answer = self._answer(request)
        _send(connection, msgspec.msgpack.encode(answer))

    def _answer(self, request: Request) -> Answer:
        try:
            return self.server.answer(request)
        except StoreError as error:
            return Failed(code=error.code, message=error.message, fix=error.fix)
        except OSError as error:
            return Failed(code="unavailable", message=str(error))


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """Name of a socket below 108 bytes, however deep its directory is."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        with suppress(OSError):
            os.close(directory)


def _is_own(connection: socket.socket) -> bool:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(raw)
    return bool(uid == os.geteuid())


def _send(connection: socket.socket, message: bytes) -> None:
    connection.sendall(_LENGTH.pack(len(message)) + message)


def _receive(connection: socket.socket) -> bytes:
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    if length > MAX_MESSAGE:
        raise EOFError(f"a message of {length} bytes is too long")
    return _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        part = connection.recv(length - len(received))
        if not part:
            raise EOFError("the connection ended early")
        received += part
    return bytes(received)
