"""A TCP proxy that makes a good server bad: slow, frozen, cut off, or gone."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_PIECE = 1 << 16


class Proxy:
    """Forwards connections on a free port to a server; faults may be changed at any time.

    Parameters
    ----------
    server
        URL of the server, ``http://host:port``.

    Attributes
    ----------
    latency
        Seconds by which every answer comes later.
    rate
        Bytes of answers a second over all connections, 0 for no limit.
    cut_after
        Bytes of answers after which all connections are cut once, None for never.
    garble
        Whether bytes of answers after their headers are changed.
    """

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.latency = 0.0
        self.rate = 0
        self.cut_after: int | None = None
        self.garble = False
        self.connections = 0
        self.requests = 0
        self._thawed = threading.Event()
        self._thawed.set()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._port = 0
        self.revive()

    @property
    def endpoint(self) -> str:
        """URL to use in place of the server's."""
        return f"http://127.0.0.1:{self._port}"

    def freeze(self) -> None:
        """Forward nothing any more, and leave connections open."""
        self._thawed.clear()

    def thaw(self) -> None:
        """Go on after a freeze."""
        self._thawed.set()

    def cut(self) -> None:
        """Cut all connections; new ones are accepted."""
        with self._lock:
            for end in self._open:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        """Cut all connections and refuse new ones."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.cut()

    def revive(self) -> None:
        """Accept connections, on the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            self.connections += 1
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._open.add(end)
            for ends, is_answer in (((client, server), False), ((server, client), True)):
                threading.Thread(target=self._forward, args=(*ends, is_answer), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(min(_PIECE, self.rate // 8 or 1) if self.rate else _PIECE):
                self._thawed.wait()
                target.sendall(self._answer(data) if is_answer else self._request(data))
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            with self._lock:
                self._open.discard(end)
        if is_answer:
            source.close()
            target.close()

    def _request(self, data: bytes) -> bytes:
        if data[:5] in {b"GET /", b"PUT /", b"HEAD ", b"POST ", b"DELET"}:
            self.requests += 1
            time.sleep(self.latency)
        return data

    def _answer(self, data: bytes) -> bytes:
        if self.rate:
            time.sleep(len(data) / self.rate)
        if self.cut_after is not None:
            self.cut_after -= len(data)
            if self.cut_after <= 0:
                self.cut_after = None
                self.cut()
        if self.garble:
            head, end, body = data.rpartition(b"\r\n\r\n")
            return head + end + bytes(byte ^ 0x55 for byte in body)
        return data


@contextmanager
def proxied(server: str) -> Iterator[Proxy]:
    """A proxy before a server for the time of the block."""
    proxy = Proxy(server)
    try:
        yield proxy
    finally:
        proxy.thaw()
        proxy.kill()
