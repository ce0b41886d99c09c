import socket

import msgspec
import pytest

from jupyter_dvmount.pipelines.sandbox.plain import _rewrite
from jupyter_dvmount.pipelines.sandbox.users import identity_of
from jupyter_dvmount.pipelines.sandbox.wire import Receiver, send
from jupyter_dvmount.store import Invalid


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("/pfs", "/s/pfs"),
        ("cp /pfs/in/a '/pfs/out/b'", "cp /s/pfs/in/a '/s/pfs/out/b'"),
        ("--in=/pfs/in:/pfs/other", "--in=/s/pfs/in:/s/pfs/other"),
        ("/data/pfs/x ../pfs/x my/pfs", "/data/pfs/x ../pfs/x my/pfs"),
        ("/pfsx /pfs.old /pfs-2", "/pfsx /pfs.old /pfs-2"),
        ("http://host/pfs/x", "http://host/pfs/x"),
    ],
)
def test_pfs_is_rewritten_where_it_begins_a_path_and_nowhere_else(text: str, rewritten: str) -> None:
    assert _rewrite(text, {"/pfs": "/s/pfs"}) == rewritten


@pytest.mark.parametrize("user", ["no-such-user", "1:x", "-1", "0:0:0", "1;id"])
def test_a_user_that_does_not_exist_is_refused(user: str) -> None:
    with pytest.raises(Invalid):
        identity_of(user)


def test_messages_of_any_size_come_whole_and_the_end_is_noticed() -> None:
    ours, theirs = socket.socketpair()
    receiver: Receiver[list[str]] = Receiver(theirs, list[str])
    sent = ["x" * 100_000, "é"]
    with ours, theirs:
        send(ours, sent)
        assert receiver.receive() == (sent, [])
        ours.sendall(b"\0\0")
        ours.close()
        assert receiver.receive() is None


def test_a_message_of_another_kind_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(ours, {"no": "list"})
        with pytest.raises(msgspec.ValidationError):
            Receiver(theirs, list[str]).receive()
