"""A mount of data on S3, while the server is slow, frozen, cut off or gone."""

from __future__ import annotations

import random
import signal
import sys
import time
from hashlib import sha256
from threading import Thread

import pytest

from dvmount_fuse.binding import Session
from dvmount_fuse.device import attach
from dvmount_fuse.endpoint import clean
from dvmount_fuse.filesystem import FileSystem
from dvmount_fuse.inhand import InHand
from jupyter_dvmount.store import NotFound, open_store
from jupyter_dvmount.store.embedded.blobs.cache import CachedBlobs
from jupyter_dvmount.store.embedded.blobs.s3.address import parse_address
from jupyter_dvmount.store.embedded.blobs.s3.blobs import S3Blobs
from jupyter_dvmount.store.embedded.diskcache import DiskCache
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
def mounted(tmp_path, s3, bucket, proxy):
    """The directories of two commits, one on S3 behind the proxy and one on the local disk."""
    need_fuse()
    opened, commits = {}, {}
    for name in ("far", "near"):
        opened[name] = open_store((tmp_path / name).as_uri())
        opened[name].create_repo("images")
        with opened[name].modify("images", "master") as writer:
            for path in SIZES:
                writer.put(path, content(path))
        commits[name] = writer.commit.id
    for pack in (tmp_path / "far" / "packs").iterdir():
        s3.client().upload_file(str(pack), bucket, f"store/packs/{pack.name}")
        pack.unlink()
    address = parse_address(f"s3://{bucket}/store?endpoint={proxy.endpoint}&timeout={TIMEOUT}")
    far = S3Blobs(address, tmp_path / "staging")
    opened["far"]._chunks._blobs = CachedBlobs(far, DiskCache(tmp_path / "blocks", 100 << 20))
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
    far.close()
    for store in opened.values():
        store.close()


def test_what_is_on_s3_reads_as_it_was_put(mounted, start):
    for path in SIZES:
        said = start("sha256sum", f"{mounted['far']}{path}").communicate(timeout=LIMIT)[0]
        assert said.split()[0] == sha256(content(path)).hexdigest()


def slow(proxy):
    proxy.rate = 1000


FAULTS = {"frozen": lambda proxy: proxy.freeze(), "gone": lambda proxy: proxy.kill(), "slow": slow}


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


def test_an_answer_that_breaks_off_or_is_garbled_never_gives_wrong_bytes(mounted, proxy, start):
    start("ls", str(mounted["far"])).communicate(timeout=LIMIT)
    proxy.cut_after = 500_000
    cut = start("sha256sum", f"{mounted['far']}/large").communicate(timeout=LIMIT)
    assert sha256(content("/large")).hexdigest() in cut[0] or "Input/output error" in cut[1]
    proxy.garble = True
    garbled = start("sha256sum", f"{mounted['far']}/other").communicate(timeout=LIMIT)
    assert "Input/output error" in garbled[1]
    proxy.garble = False
    said = start("sha256sum", f"{mounted['far']}/other").communicate(timeout=LIMIT)[0]
    assert said.split()[0] == sha256(content("/other")).hexdigest()
