"""One contract for all places where blobs may lie."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from jupyter_dvmount.store import Corrupt
from jupyter_dvmount.store.embedded.blobs import LocalBlobs, MissingBlob
from jupyter_dvmount.store.embedded.blobs.cache import CachedBlobs
from jupyter_dvmount.store.embedded.blobs.s3.address import parse_address
from jupyter_dvmount.store.embedded.blobs.s3.blobs import S3Blobs
from jupyter_dvmount.store.embedded.machine.diskcache import DiskCache

DATA = bytes(range(256)) * 10_000


@pytest.fixture(params=["local", "s3", "s3 cached"])
def blobs(request, tmp_path):
    if request.param == "local":
        (tmp_path / "store" / "tmp").mkdir(parents=True)
        made = LocalBlobs(tmp_path / "store")
    else:
        server, bucket = request.getfixturevalue("s3"), request.getfixturevalue("bucket")
        address = parse_address(f"s3://{bucket}/a/b?endpoint={server.endpoint}")
        made = S3Blobs(address, tmp_path / "x" / "y" / "staging")
        if request.param == "s3 cached":
            made = CachedBlobs(made, DiskCache(tmp_path / "x" / "y" / "blocks", 100 << 20))
    yield made
    made.close()


def publish(blobs, name, data=DATA) -> Path:
    path = blobs.staging / uuid.uuid4().hex
    with path.open("x+b") as file:
        file.write(data)
        file.flush()
        blobs.publish(file, name)
    return path


def test_a_published_file_is_a_blob_and_gone_from_the_staging(blobs):
    path = publish(blobs, "packs/one")
    assert not path.exists()
    assert blobs.size("packs/one") == len(DATA)
    assert blobs.load("packs/one") == DATA


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, 1), (0, len(DATA)), (1_048_570, 10), (2_000_000, 2_000_000), (len(DATA), 5), (5, 0), (9_000_000, 5)],
)
def test_any_range_can_be_read(blobs, offset, length):
    publish(blobs, "packs/one")
    assert blobs.read("packs/one", offset, length) == DATA[offset : offset + length]


def test_an_empty_blob_is_a_blob(blobs):
    publish(blobs, "packs/empty", b"")
    blobs.write("journal/empty", b"")
    assert blobs.size("packs/empty") == 0
    assert blobs.load("packs/empty") == blobs.load("journal/empty") == b""
    assert blobs.read("packs/empty", 0, 10) == b""


def test_a_small_blob_can_be_replaced(blobs):
    blobs.write("journal/a", b"1")
    blobs.write("journal/a", b"22")
    assert blobs.load("journal/a") == b"22"


def test_a_blob_that_is_not_there_is_missing_and_thereby_corrupt(blobs):
    publish(blobs, "packs/onetwo", b"x")
    for ask in (blobs.size, blobs.load, lambda name: blobs.read(name, 0, 10)):
        with pytest.raises(MissingBlob) as caught:
            ask("packs/one")
        assert isinstance(caught.value, Corrupt)
        assert "packs/one is missing" in caught.value.message
        assert caught.value.fix


def test_a_listing_is_by_name_and_can_go_on_from_any(blobs):
    names = [f"packs/{index:02}" for index in range(20)]
    for name in reversed(names):
        blobs.write(name, name.encode())
    blobs.write("journal/1", b"")
    assert [blob.name for blob in blobs.list("packs/")] == names
    assert [blob.name for blob in blobs.list("packs/", "packs/17")] == names[18:]
    assert [blob.name for blob in blobs.list("packs/", "packs/171")] == names[18:]
    assert [blob.size for blob in blobs.list("packs/", "packs/18")] == [8]
    assert list(blobs.list("nothing/")) == []


def test_a_deleted_blob_is_gone_and_deleting_it_again_is_no_error(blobs):
    publish(blobs, "packs/one")
    blobs.delete("packs/one")
    blobs.delete("packs/one")
    assert list(blobs.list("packs/")) == []
    with pytest.raises(MissingBlob):
        blobs.source.read("packs/one", 0, 1)
