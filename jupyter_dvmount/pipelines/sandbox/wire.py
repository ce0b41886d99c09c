"""Messages between two processes: length and msgpack on a stream socket, with descriptors beside them."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any, Generic, TypeVar

import msgspec

Message = TypeVar("Message")
_LENGTH = struct.Struct("!I")
_DESCRIPTORS = 2


def send(connection: socket.socket, message: Any, descriptors: tuple[int, ...] = ()) -> None:
    """Send one message; at most two descriptors go with it."""
    body = msgspec.msgpack.encode(message)
    header = _LENGTH.pack(len(body))
    if descriptors:
        socket.send_fds(connection, [header], list(descriptors))
    else:
        connection.sendall(header)
    connection.sendall(body)


class Receiver(Generic[Message]):
    """The receiving end.

    Parameters
    ----------
    connection
        A blocking stream socket.
    kind
        Type of the messages: a tagged union.
    """

    def __init__(self, connection: socket.socket, kind: Any) -> None:
        self._connection = connection
        self._decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(kind)

    def receive(self) -> tuple[Message, list[int]] | None:
        """The next message and its descriptors, or None when the other end has closed."""
        try:
            header, descriptors, _, _ = socket.recv_fds(self._connection, _LENGTH.size, _DESCRIPTORS)
            header += self._exactly(_LENGTH.size - len(header)) if header else b""
            body = self._exactly(_LENGTH.unpack(header)[0]) if header else b""
        except (EOFError, ConnectionError):
            return None
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        return (self._decoder.decode(body), descriptors) if header else None

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            part = self._connection.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)
