"""A mount of data on S3, while the server is slow, frozen, cut off or gone."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from hashlib import sha256
from pathlib import Path
from threading import Thread

import pytest

from dvmount_fuse.binding import Session
from dvmount_fuse.device import attach
from dvmount_fuse.endpoint import clean
from dvmount_fuse.filesystem import FileSystem
from dvmount_fuse.inhand import InHand
from jupyter_dvmount.config import Config
from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.store import NotFound, open_store
from tests.fuse import need_fuse
from tests.integration.mounts.processes import LIMIT
from tests.services.proxy import proxied

TIMEOUT = 2.0
"""Seconds within which a read of the bucket ends."""
MAP = "import mmap, sys; f = open(sys.argv[1], 'rb'); print(mmap.mmap(f.fileno(), 0, prot=1)[5])"
SIZES = {"/small": 20_000, "/large": 3_000_000, "/other": 2_000_000}


class Stores:
    """Stands for `dvmount_fuse.stores.Stores`."""

    def __init__(self, opened):
        self.opened = opened

    def known(self):
        return sorted(self.opened)

    def get(self, store):
        if store not in self.opened:
            raise NotFound(store)

    def read(self, store, repo, commit):
        return self.opened[store].read(repo, commit)


def content(path):
    return random.Random(path).randbytes(SIZES[path])


@pytest.fixture
def proxy(s3):
    with proxied(s3.endpoint) as made:
        yield made


@pytest.fixture
def mounted(tmp_path, bucket, proxy, monkeypatch):
    """The directories of two commits, one on S3 behind the proxy and one on the local disk."""
    need_fuse()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    urls = {
        "far": f"s3://{bucket}/store?endpoint={proxy.endpoint}&timeout={TIMEOUT:g}",
        "near": (tmp_path / "near").as_uri(),
    }
    opened, commits = {}, {}
    for name, url in urls.items():
        opened[name] = open_store(url)
        opened[name].create_repo("images")
        with opened[name].modify("images", "master") as writer:
            for path in SIZES:
                writer.put(path, content(path))
        commits[name] = writer.commit.id
    shutil.rmtree(tmp_path / "cache")
    mountpoint = tmp_path / "mnt"
    mountpoint.mkdir()
    session = Session(FileSystem(Stores(opened)), attach(mountpoint), InHand(2 * TIMEOUT))
    thread = Thread(target=session.run)
    thread.start()
    yield {name: mountpoint / name / f"images@{commit}" for name, commit in commits.items()}
    proxy.thaw()
    clean(mountpoint)
    thread.join(LIMIT)
    assert not thread.is_alive()
    for store in opened.values():
        store.close()


def test_what_is_on_s3_reads_as_it_was_put(mounted, start):
    for path in SIZES:
        said = start("sha256sum", f"{mounted['far']}{path}").communicate(timeout=LIMIT)[0]
        assert said.split()[0] == sha256(content(path)).hexdigest()


def slow(proxy):
    proxy.rate = 1000


FAULTS = {"frozen": lambda proxy: proxy.freeze(), "gone": lambda proxy: proxy.kill(), "slow": slow}


@pytest.fixture
def stopped(s3):
    """The server's process does nothing any more, until the end of the test."""
    if not s3.pid:
        pytest.skip("the S3 server is not ours to stop")
    yield lambda: os.kill(s3.pid, signal.SIGSTOP)
    os.kill(s3.pid, signal.SIGCONT)


def test_a_server_whose_process_is_stopped_holds_nobody_up_for_long(mounted, stopped, start):
    start("ls", str(mounted["far"])).communicate(timeout=LIMIT)
    stopped()
    reader = start("cat", f"{mounted['far']}/large")
    for command in (["ls", "-l", mounted["far"]], ["wc", "-c", mounted["near"] / "large"]):
        process = start(*map(str, command))
        process.communicate(timeout=LIMIT)
        assert process.returncode == 0
    assert "Input/output error" in reader.communicate(timeout=LIMIT)[1]


@pytest.mark.parametrize("fault", FAULTS)
def test_readers_end_with_an_error_and_nobody_else_waits(mounted, proxy, start, fault):
    listed = start("ls", "-l", str(mounted["far"])).communicate(timeout=LIMIT)[0]  # the metadata are here now
    assert "large" in listed
    FAULTS[fault](proxy)
    begin = time.monotonic()
    readers = [start("sha256sum", f"{mounted['far']}{path}") for path in SIZES for _ in range(4)]
    mapping = start(sys.executable, "-c", MAP, f"{mounted['far']}/large")
    for command in (
        ["ls", "-l", mounted["far"]],
        ["stat", mounted["far"] / "other"],
        ["cmp", mounted["near"] / "large", mounted["near"] / "large"],
        ["wc", "-c", mounted["near"] / "small"],
    ):
        process = start(*map(str, command))
        process.communicate(timeout=LIMIT)
        assert process.returncode == 0
    for reader in readers:
        assert "Input/output error" in reader.communicate(timeout=LIMIT)[1]
    mapping.communicate(timeout=LIMIT)
    assert mapping.returncode == -signal.SIGBUS
    assert time.monotonic() - begin < LIMIT


def test_a_server_that_comes_back_is_read_again(mounted, proxy, start):
    start("ls", str(mounted["far"])).communicate(timeout=LIMIT)
    proxy.kill()
    assert start("sha256sum", f"{mounted['far']}/small").communicate(timeout=LIMIT)[1]
    proxy.revive()
    said = start("sha256sum", f"{mounted['far']}/small").communicate(timeout=LIMIT)[0]
    assert said.split()[0] == sha256(content("/small")).hexdigest()


def test_an_answer_that_breaks_off_or_is_garbled_never_gives_wrong_bytes(mounted, proxy, start, tmp_path):
    start("ls", str(mounted["far"])).communicate(timeout=LIMIT)
    proxy.cut_after = 500_000
    cut = start("sha256sum", f"{mounted['far']}/large").communicate(timeout=LIMIT)
    assert sha256(content("/large")).hexdigest() in cut[0] or "Input/output error" in cut[1]
    time.sleep(0.5)  # the rest of the pack is fetched ahead
    shutil.rmtree(tmp_path / "cache")
    proxy.garble = True
    garbled = start("sha256sum", f"{mounted['far']}/other").communicate(timeout=LIMIT)
    assert "Input/output error" in garbled[1]
    proxy.garble = False
    said = start("sha256sum", f"{mounted['far']}/other").communicate(timeout=LIMIT)[0]
    assert said.split()[0] == sha256(content("/other")).hexdigest()


def test_a_mount_lists_everything_though_the_server_goes_as_soon_as_it_is_there(
    tmp_path, bucket, proxy, monkeypatch, fuse
):
    for kind in ("CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind))
    url = f"s3://{bucket}/store?endpoint={proxy.endpoint}&timeout={TIMEOUT:g}"
    with open_store(url) as store:
        store.create_repo("images")
        with store.modify("images", "master") as writer:
            for index in range(2000):
                writer.put(f"/d{index % 20}/f{index}", f"{index}".encode())
        shutil.rmtree(tmp_path / "CACHE")
        manager = MountManager(Config(store=url, state=tmp_path / "state", root=tmp_path / "mnt"), store)
        try:
            path = Path(manager.mount("images", "master").path)
            assert (path / "d0" / "f0").read_bytes() == b"0"
            proxy.kill()
            assert sum(len(files) for _, _, files in os.walk(path)) == 2000
            proxy.revive()
            assert (path / "d7" / "f1987").read_bytes() == b"1987"
        finally:
            manager.unmount_all()
            manager.stop()
