from __future__ import annotations

import os
import socket
import time

import pytest

from dvmount_fuse import control
from dvmount_fuse.control import Done, Failed, Ping, Resolve, Server, Status, ask
from jupyter_dvmount.store import NotFound, Unavailable

STATUS = Status(pid=1, mountpoint="/x", mounted=True, commits=0, rss=0, busy=0.0)


@pytest.fixture
def serve(tmp_path):
    servers = []
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()

    def start(answer):
        server = Server(deep / "daemon.sock", answer)
        server.start()
        servers.append(server)
        return server.path

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_question_is_answered_below_a_path_longer_than_a_socket_name(serve):
    path = serve(lambda request: STATUS)
    assert len(str(path)) > 108
    assert ask(path, Ping()) == STATUS


def test_the_error_of_a_store_arrives_as_it_was(serve):
    def answer(request):
        raise NotFound("no such commit", fix="look again")

    path = serve(answer)
    assert ask(path, Resolve(store="s", directory="d")) == Failed(
        code="not_found", message="no such commit", fix="look again"
    )


def test_nobody_there_is_said_at_once(tmp_path):
    with pytest.raises(Unavailable, match="does not answer"):
        ask(tmp_path / "daemon.sock", Ping())


def test_a_daemon_that_hangs_does_not_hang_its_caller(serve):
    path = serve(lambda request: time.sleep(3) or STATUS)
    before = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer"):
        ask(path, Ping(), timeout=0.2)
    assert time.monotonic() - before < 2.5


def test_a_client_that_says_nothing_does_not_keep_others_waiting(serve):
    path = serve(lambda request: Done())
    silent = socket.socket(socket.AF_UNIX)
    with control._address(path) as address:
        silent.connect(address)
    assert ask(path, Ping(), timeout=1) == Done()
    silent.close()


@pytest.mark.parametrize("garbage", [b"", b"\0\0\0\2hi", b"\xff\xff\xff\xff", b"\0\0\0\5ab"])
def test_garbage_does_not_end_the_server(serve, garbage):
    path = serve(lambda request: Done())
    with socket.socket(socket.AF_UNIX) as rude, control._address(path) as address:
        rude.connect(address)
        rude.sendall(garbage)
    assert ask(path, Ping()) == Done()


def test_another_user_is_refused_at_both_ends(serve, monkeypatch):
    path = serve(lambda request: Done())
    uid = os.geteuid()
    monkeypatch.setattr(control.os, "geteuid", lambda: uid + 1)
    with pytest.raises(Unavailable, match="another user"):
        ask(path, Ping())
    monkeypatch.setattr(control, "_is_own", lambda connection: connection.getsockname() == "")
    with pytest.raises(Unavailable, match="does not answer"):
        ask(path, Ping())


def test_the_socket_is_for_its_owner_only(serve):
    assert serve(lambda request: Done()).stat().st_mode & 0o777 == 0o600
