"""Large directories, large files and many mounts cost what is asked of them and no more."""

from __future__ import annotations

import os
from itertools import cycle
from pathlib import Path
from threading import Thread

import pytest

from dvmount_fuse.binding import Session
from dvmount_fuse.control import Ping, ask
from dvmount_fuse.device import attach
from dvmount_fuse.endpoint import clean
from dvmount_fuse.filesystem import FileSystem
from dvmount_fuse.inhand import InHand
from dvmount_fuse.layout import State
from jupyter_dvmount.store import open_store
from jupyter_dvmount.store.embedded.reading.nodes import NodeSource
from tests.integration.mounts.processes import processes_of
from tests.memory_store import ROOT, MemoryReader, MemoryStores

pytestmark = pytest.mark.usefixtures("fuse")

ENTRIES = 100_000
GIB = 1 << 30


def memory(config):
    return ask(State(config.state).socket, Ping()).rss


def test_a_directory_of_100_000_entries_is_whole_and_costs_no_memory_a_name(manager, store, config, tmp_path):
    contents = [tmp_path / f"c{number}" for number in range(7)]
    for number, file in enumerate(contents):
        file.write_bytes(b"x" * number)
    store.create_repo("many")
    with store.modify("many", "master") as writer:
        names = (f"one/{number:06}" for number in range(ENTRIES))
        writer.put_tree("/", zip(names, cycle(contents)))
    root = Path(manager.mount("many", "master").path)
    before = memory(config)
    sizes = {entry.name: entry.stat().st_size for entry in os.scandir(root / "one")}
    assert sizes == {f"{number:06}": number % 7 for number in range(ENTRIES)}
    assert memory(config) - before < 30 << 20  # libfuse alone took 20 MiB for the names
    assert (root / "one" / f"{ENTRIES - 1:06}").stat().st_size == (ENTRIES - 1) % 7


class Huge:
    """Contents of any length, made when they are read: 8 bytes that tell their own offset."""

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, part):
        start, stop = part.start, min(part.stop, self.length)
        first = start & ~7
        content = b"".join(at.to_bytes(8, "little") for at in range(first, stop, 8))
        return content[start - first : stop - first]


def test_a_file_of_100_gib_is_read_at_any_offset(tmp_path):
    mountpoint = tmp_path / "mnt"
    mountpoint.mkdir()
    reader = MemoryReader({"/huge": Huge(100 * GIB)})
    session = Session(FileSystem(MemoryStores({"s1": reader})), attach(mountpoint), InHand())
    thread = Thread(target=session.run)
    thread.start()
    try:
        path = f"{mountpoint}{ROOT}/huge"
        assert Path(path).stat().st_size == 100 * GIB
        descriptor = os.open(path, os.O_RDONLY)
        for offset in (0, 4 * GIB - 8, 4 * GIB, 99 * GIB + 4096, 100 * GIB - 8):
            assert os.pread(descriptor, 8, offset) == offset.to_bytes(8, "little")
        assert os.pread(descriptor, 100, 100 * GIB - 4) == (100 * GIB - 8).to_bytes(8, "little")[4:]
        os.close(descriptor)
    finally:
        clean(mountpoint)
        thread.join(30)
    assert not thread.is_alive()


def test_a_sparse_file_of_100_gib_is_put_and_read(manager, store, tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.seek(50 * GIB)
        file.write(b"middle")
        file.truncate(100 * GIB)
    store.create_repo("huge")
    with store.modify("huge", "master") as writer:
        writer.put_tree("/", [("sparse", tmp_path / "sparse")])
    descriptor = os.open(Path(manager.mount("huge", "master").path) / "sparse", os.O_RDONLY)
    try:
        assert os.fstat(descriptor).st_size == 100 * GIB
        parts = {0: b"\0" * 6, 50 * GIB - 3: b"\0\0\0mid", 100 * GIB - 3: b"\0\0\0"}
        assert {offset: os.pread(descriptor, 6, offset) for offset in parts} == parts
    finally:
        os.close(descriptor)


def test_listing_a_directory_reads_nothing_of_the_others(store, tmp_path, monkeypatch):
    (tmp_path / "empty").touch()
    store.create_repo("many")
    with store.modify("many", "master") as writer:
        names = (f"d{number // 400:03}/{number:05}" for number in range(20_000))
        writer.put_tree("/", ((name, tmp_path / "empty") for name in names))
    read, nodes = NodeSource._read, []
    monkeypatch.setattr(NodeSource, "_read", lambda self, hash_: nodes.append(hash_) or read(self, hash_))
    with open_store(store.url) as fresh:
        listed = [name for block in fresh.read("many", "master").blocks("/d025") for name in block.names]
        assert listed == [f"{number:05}" for number in range(10_000, 10_400)]
        assert len(nodes) < 10  # of about 80
        nodes.clear()
        assert sum(1 for _ in fresh.read("many", "master").walk("/")) == 20_050
        assert len(nodes) > 40


def test_two_hundred_mounts_are_one_process_of_bounded_memory(manager, put, config):
    for number in range(200):
        put({"/n": str(number).encode()}, repo=f"repo{number}")
        manager.mount(f"repo{number}", "master")
    for number in range(200):
        assert (config.root / f"repo{number}" / "n").read_text() == str(number)
    assert len(manager.list()) == 200
    assert len(processes_of(config.state)) == 2  # the daemon and its supervisor
    assert memory(config) < 100 << 20
