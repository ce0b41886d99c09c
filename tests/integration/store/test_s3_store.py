"""A whole store on S3, and what happens to it when the server or the way to it fails."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from jupyter_dvmount.config import Config
from jupyter_dvmount.doctor import diagnose
from jupyter_dvmount.mounting.model import Check
from jupyter_dvmount.store import Corrupt, Unavailable, VersionStore, open_store
from jupyter_dvmount.store.embedded.fsck.rebuild import rebuild_embedded
from jupyter_dvmount.store.embedded.packs import pack
from tests.services.proxy import Proxy, proxied
from tests.services.s3 import S3Server

PATIENCE = 2.0
LARGE = random.Random(7).randbytes(6_000_000)


@pytest.fixture
def proxy(s3):
    """Between the store and its server."""
    with proxied(s3.endpoint) as proxy:
        yield proxy


@pytest.fixture
def url(bucket, proxy, tmp_path, monkeypatch) -> str:
    """A store with small packs and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(pack, "TARGET", 1 << 20)
    return f"s3://{bucket}/store?endpoint={proxy.endpoint}&timeout={PATIENCE:g}"


@pytest.fixture
def opened(url):
    """Opens the store anew: with nothing in memory."""
    stores = []

    def open_it() -> VersionStore:
        stores.append(open_store(url))
        return stores[-1]

    yield open_it
    for store in stores:
        store.close()


@pytest.fixture
def filled(opened) -> Callable[[], VersionStore]:
    store = opened()
    store.create_repo("images")
    with store.modify("images", "master") as writer:
        writer.put("/large", LARGE)
        for index in range(300):
            writer.put(f"/small/{index}", f"contents {index}".encode())
    store.close()
    return opened


@pytest.fixture
def cold(filled, tmp_path) -> VersionStore:
    """A store with contents, none of which are on the local disk."""
    shutil.rmtree(tmp_path / "cache")
    return filled()


@contextmanager
def within(seconds: float):
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds


def cached(tmp_path: Path, what: str) -> list[Path]:
    return sorted((tmp_path / "cache" / "dvmount").glob(f"*/{what}/*"))


def test_a_store_on_s3_keeps_what_was_put_and_is_checked_and_collected(filled, s3, bucket):
    store = filled()
    assert store.read("images", "master").open("/large").read() == LARGE
    assert store.read("images", "master").open("/small/17").read() == b"contents 17"
    with store.modify("images", "master") as writer:
        writer.delete("/large")
    first = store.inspect_commit("images", "master^")
    store.squash_commit_set(first.id)
    before = size_of(s3, bucket)
    store.gc(grace=0)
    store.gc(grace=0)
    assert size_of(s3, bucket) < before - len(LARGE) // 2
    assert list(store.fsck(full=True)) == []
    assert store.read("images", "master").open("/small/17").read() == b"contents 17"


def size_of(s3, bucket) -> int:
    return sum(found["Size"] for found in s3.client().list_objects_v2(Bucket=bucket)["Contents"])


def test_another_machine_without_the_catalog_makes_it_anew_from_the_bucket(
    filled, tmp_path, monkeypatch, url
):

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "other"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other cache"))
    with pytest.raises(Corrupt) as caught:
        filled()
    assert "fsck --rebuild" in caught.value.fix
    assert list(rebuild_embedded(url)) == []
    assert filled().read("images", "master").open("/large").read() == LARGE


def test_a_put_whose_server_goes_down_makes_no_commit_and_succeeds_later(filled, proxy, s3, bucket):
    store = filled()
    head = store.inspect_branch("images", "master").head
    first, second = random.Random(8).randbytes(6_000_000), random.Random(9).randbytes(3_000_000)

    def put_both(second: bytes | BinaryIO) -> None:
        with store.modify("images", "master") as writer:
            writer.put("/first", first)
            writer.put("/second", second)

    with within(10 * PATIENCE), pytest.raises(Unavailable) as caught:
        put_both(Breaking(second, proxy.kill))
    assert caught.value.fix
    assert store.inspect_branch("images", "master").head == head
    proxy.revive()

    before = size_of(s3, bucket)
    put_both(second)
    assert store.read("images", "master").open("/first").read() == first
    assert store.read("images", "master").open("/second").read() == second
    assert size_of(s3, bucket) - before < len(second) + 2_000_000  # most of the first file was there already
    assert list(store.fsck(full=True)) == []


class Breaking(io.BytesIO):
    """A stream that breaks something when half of it has been read."""

    def __init__(self, data: bytes, breaks: Callable[[], None]) -> None:
        super().__init__(data)
        self._half, self._breaks = len(data) // 2, breaks

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > self._half:
            time.sleep(0.5)  # the packs before are on their way
            self._breaks()
        return super().read(min(size or 0, 500_000))


def test_reads_go_on_where_a_connection_was_cut(cold, proxy):
    proxy.cut_after = 2_300_000
    assert cold.read("images", "master").open("/large").read() == LARGE
    assert proxy.cut_after is None


def test_a_reader_of_a_server_that_is_too_slow_is_told_in_time(cold, proxy):
    reader = cold.read("images", "master")
    file = reader.lookup("/large")
    proxy.rate = 1000
    with within(2 * PATIENCE), pytest.raises(Unavailable, match="did not answer within 2 s"):
        reader.readinto(file, bytearray(100), 3_000_000)


@pytest.mark.parametrize("fault", ["freeze", "kill"])
def test_every_call_ends_in_time_with_the_remedy_when_the_server_is_gone(cold, proxy, fault):
    reader = cold.read("images", "master")
    file = reader.lookup("/large")
    getattr(proxy, fault)()
    for ask in (
        lambda: reader.readinto(file, bytearray(100), 3_000_000),
        lambda: list(cold.fsck()),
        lambda: put(cold, "/new", b"new"),
    ):
        with within(4 * PATIENCE), pytest.raises(Unavailable) as caught:
            ask()
        assert caught.value.fix


def put(store: VersionStore, path: str, data: bytes) -> None:
    with store.modify("images", "master") as writer:
        writer.put(path, data)


def test_garbage_from_the_server_is_never_taken_for_contents(cold, proxy):
    reader = cold.read("images", "master")
    file = reader.lookup("/large")
    proxy.garble = True
    with pytest.raises((Corrupt, Unavailable)):
        reader.readinto(file, bytearray(100), 3_000_000)
    proxy.garble = False
    buffer = bytearray(100)
    reader.readinto(file, buffer, 3_000_000)
    assert buffer == LARGE[3_000_000:3_000_100]


def test_damaged_files_of_the_cache_are_fetched_again(filled, tmp_path):
    filled().read("images", "master").open("/large").read()
    time.sleep(0.2)
    for path in [*cached(tmp_path, "blocks"), *cached(tmp_path, "nodes")]:
        damaged = bytearray(path.read_bytes())
        for index in range(0, len(damaged), 997):
            damaged[index] ^= 1
        path.write_bytes(damaged)
    store = filled()
    assert store.read("images", "master").open("/large").read() == LARGE
    assert len(list(store.read("images", "master").walk())) == 302


def test_nobody_else_can_read_the_cache(filled, tmp_path):
    filled().read("images", "master").open("/large").read()
    assert cached(tmp_path, "blocks")
    for directory in (tmp_path / "cache" / "dvmount").rglob("*"):
        if directory.is_dir():
            assert directory.stat().st_mode & 0o077 == 0


def test_after_a_prefetch_nobody_is_asked_where_a_file_is(cold, proxy, monkeypatch):
    reader = cold.read("images", "master")
    seen = []
    reader.prefetch(lambda files, size: seen.append((files, size)))
    assert seen[-1] == (reader.commit.files, reader.commit.size)
    proxy.kill()
    for name in ("find_chunk", "find_chunks", "read"):
        monkeypatch.setattr(cold._catalog, name, None)
    cold._nodes._cache._values.clear()
    assert reader.lookup("/small/17") is not None
    assert len(list(reader.walk())) == 302
    assert reader.usage("/small")[0] == 300
    reader.prefetch()


def test_a_prefetch_can_be_cancelled_and_ends_in_time_without_a_server(cold, proxy):
    class Cancelled(Exception):
        pass

    def cancel(_files: int, _size: int) -> None:
        raise Cancelled

    reader = cold.read("images", "master")
    with pytest.raises(Cancelled):
        reader.prefetch(cancel)
    proxy.freeze()
    shutil.rmtree(cold._nodes._files.directory)
    shutil.rmtree(cold._blobs._files.directory)
    cold._nodes._cache._values.clear()
    with within(3 * PATIENCE), pytest.raises(Unavailable):
        reader.prefetch()


WRITER = """
import sys
from jupyter_dvmount.store import open_store
name = sys.argv[2]
with open_store(sys.argv[1]) as store:
    for number in range(6):
        for branch in ("shared", name):
            with store.modify("images", branch) as writer:
                writer.put(f"/{name}/{number}", f"{name} {number} ".encode() * 30_000)
    for path in store.read("images", "shared").walk():
        if path.type == "file":
            assert store.read("images", "shared").open(path.path).read().startswith(path.path[1:2].encode())
"""


def test_two_machines_write_to_one_store_at_once(s3, bucket, tmp_path, monkeypatch):
    catalog = f"sqlite://{tmp_path}/shared/catalog.sqlite"
    url = f"s3://{bucket}/store?endpoint={s3.endpoint}&catalog={catalog}"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with open_store(url) as store:
        store.create_repo("images")
        machines = []
        for name in ("a", "b"):
            home = tmp_path / name
            home.mkdir()
            separate = {f"XDG_{kind}_HOME": str(home / kind) for kind in ("CACHE", "DATA", "STATE", "CONFIG")}
            machines.append(
                subprocess.Popen(
                    [sys.executable, "-c", WRITER, url, name],
                    env={**os.environ, "HOME": str(home), **separate},
                )
            )
        assert [machine.wait(60) for machine in machines] == [0, 0]
        for branch, files in (("shared", 12), ("a", 6), ("b", 6)):
            found = [file for file in store.read("images", branch).walk() if file.type == "file"]
            assert len(found) == files
            for file in found:
                _, name, number = file.path.split("/")
                assert (
                    store.read("images", branch).open(file.path).read()
                    == f"{name} {number} ".encode() * 30_000
                )
        assert list(store.fsck(full=True)) == []


def test_no_secret_is_printed_by_a_command_with_debug(filled, url, tmp_path):
    secret = "hunter2hunter2hunter2"
    environment = {**os.environ, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": secret + "token"}
    for command in (["list", "repo"], ["put", "file", "images@master:/x", "-f", "-"], ["doctor"]):
        done = subprocess.run(
            [sys.executable, "-m", "jupyter_dvmount.cli", "--debug", *command],
            env={**environment, "DVMOUNT_STORE": url, "DVMOUNT_STATE": str(tmp_path / "state")},
            input="contents",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert secret not in done.stdout + done.stderr


def test_the_proxy_forwards_faithfully(s3, bucket, proxy: Proxy):
    s3.client().put_object(Bucket=bucket, Key="a", Body=LARGE)
    assert S3Server(proxy.endpoint, 0).client().get_object(Bucket=bucket, Key="a")["Body"].read() == LARGE


def test_the_doctor_names_the_bucket_and_what_the_cache_holds(url, bucket, filled, tmp_path):
    def row() -> Check:
        return diagnose(Config(store=url, state=tmp_path / "state", root=tmp_path / "root"))[0]

    filled().read("images", "master").open("/large").read()
    assert row().status == "ok"
    assert f"s3://{bucket}/store" in row().detail
    assert "MiB of it in the local cache" in row().detail
    url = url.replace("/store", "/other")
    assert row().status == "ok"
    assert "is made when it is first used" in row().detail
    url = url.replace(bucket, "no-such-bucket")
    assert row().status == "missing"
    assert "aws s3 mb s3://no-such-bucket" in row().fix
