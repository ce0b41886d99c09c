"""Whatever a store does, whoever reads gets an answer, and everybody else goes on.

A real mount in this process, of stores that can be held up; everything that touches it is another process
with a time limit, so that a hang is a failure and not the end of the tests.
"""

from __future__ import annotations

import hashlib
import signal
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from dvmount_fuse.binding import Session
from dvmount_fuse.device import attach
from dvmount_fuse.endpoint import clean, mounted_device
from dvmount_fuse.filesystem import FileSystem
from dvmount_fuse.inhand import InHand
from tests.fuse import need_fuse
from tests.integration.mounts.processes import LIMIT, wait_for
from tests.memory_store import ROOT, MemoryReader, MemoryStores

DEADLINE = 1.0
LATE = 60.0  # seconds of a deadline that no test reaches

READ = "import sys; print(len(open(sys.argv[1], 'rb').read()))"
MAP = "import mmap, sys; f = open(sys.argv[1], 'rb'); print(mmap.mmap(f.fileno(), 0, prot=1)[5])"


@pytest.fixture
def frozen():
    """A store whose reads do not end."""
    reader = MemoryReader({f"/d/{number}": b"%d" % number * 3000 for number in range(40)})
    reader.gate.clear()
    yield reader
    reader.gate.set()


@pytest.fixture
def deadline():
    return LATE


@pytest.fixture
def mounted(tmp_path, frozen, deadline):
    need_fuse()
    mountpoint = tmp_path / "mnt"
    mountpoint.mkdir()
    quick = MemoryReader({"/m.py": b"answer = 42\n", "/d/a": b"content", "/large": b"x" * 300_000})
    filesystem = FileSystem(MemoryStores({"s1": frozen, "s2": quick}))
    session = Session(filesystem, attach(mountpoint), InHand(deadline))
    thread = Thread(target=session.run)
    thread.start()
    yield mountpoint
    frozen.gate.set()
    clean(mountpoint)
    thread.join(LIMIT)
    assert not thread.is_alive()
    assert mounted_device(mountpoint) is None


def below(mounted: Path, store: str, path: str) -> str:
    return f"{mounted}{ROOT.replace('s1', store)}{path}"


@pytest.mark.parametrize("deadline", [DEADLINE])
def test_reads_of_a_store_that_hangs_end_with_an_error_at_the_deadline(mounted, frozen, start):
    begin = time.monotonic()
    readers = [
        start(sys.executable, "-c", READ, below(mounted, "s1", f"/d/{number}")) for number in range(20)
    ]
    for reader in readers:
        _, said = reader.communicate(timeout=LIMIT)
        assert "Input/output error" in said
    assert time.monotonic() - begin > DEADLINE / 2
    frozen.gate.set()
    again = start(sys.executable, "-c", READ, below(mounted, "s1", "/d/7"))
    assert again.communicate(timeout=LIMIT)[0] == "3000\n"


def test_nobody_else_waits_for_a_store_that_hangs(mounted, frozen, start):
    importing = (
        f"import sys; sys.path.insert(0, {below(mounted, 's2', '')!r}); import m; assert m.answer == 42"
    )
    commands = {
        "list it": ["ls", "-l", below(mounted, "s1", "/d")],
        "stat in it": ["stat", below(mounted, "s1", "/d/39")],
        "miss in it": ["sh", "-c", f"! ls {below(mounted, 's1', '/d/none')} 2> /dev/null"],
        "read another": ["grep", "-q", "content", below(mounted, "s2", "/d/a")],
        "import from another": [sys.executable, "-c", importing],
        "map another": [sys.executable, "-c", MAP, below(mounted, "s2", "/large")],
    }  # fmt: skip
    readers = [start("cat", below(mounted, "s1", f"/d/{number}")) for number in range(12)]
    wait_for(lambda: all(Path(f"/proc/{reader.pid}/wchan").exists() for reader in readers))
    time.sleep(0.3)
    for what, command in commands.items():
        process = start(*command)
        _, said = process.communicate(timeout=LIMIT)
        assert (process.returncode, said) == (0, ""), what
    assert all(reader.poll() is None for reader in readers)


@pytest.mark.parametrize("deadline", [DEADLINE])
def test_a_mapped_file_of_a_store_that_hangs_is_a_bus_error_at_the_deadline(mounted, start):
    process = start(sys.executable, "-c", MAP, below(mounted, "s1", "/d/1"))
    process.communicate(timeout=LIMIT)
    assert process.returncode == -signal.SIGBUS


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_reader_of_a_store_that_hangs_can_be_ended(mounted, start, sent):
    reader = start("cat", below(mounted, "s1", "/d/3"))
    time.sleep(0.3)
    reader.send_signal(sent)
    reader.communicate(timeout=LIMIT)
    assert reader.returncode != 0


def test_a_store_that_comes_back_gives_the_right_bytes_to_those_who_waited(mounted, frozen, start):
    readers = [start("cat", below(mounted, "s1", f"/d/{number}")) for number in range(20)]
    time.sleep(0.3)
    frozen.gate.set()
    for number, reader in enumerate(readers):
        assert reader.communicate(timeout=LIMIT)[0] == str(number) * 3000


def test_an_answer_in_very_many_pieces_arrives_whole(mounted, start):
    reader = start("sha256sum", below(mounted, "s2", "/large"))
    assert reader.communicate(timeout=LIMIT)[0].split()[0] == hashlib.sha256(b"x" * 300_000).hexdigest()


def test_unmounting_does_not_wait_for_readers_of_a_store_that_hangs(mounted, frozen, start):
    reader = start("cat", below(mounted, "s1", "/d/3"))
    time.sleep(0.3)
    clean(mounted)
    assert start("ls", str(mounted)).communicate(timeout=LIMIT)[0] == ""
    frozen.gate.set()
    assert reader.communicate(timeout=LIMIT)[0] == "3" * 3000
