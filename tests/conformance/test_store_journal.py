"""The journal beside the packs tells everything that the catalog knows."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from jupyter_dvmount.store import Unavailable, VersionStore
from jupyter_dvmount.store.embedded.journal import log
from jupyter_dvmount.store.embedded.journal.images import Image
from tests.conformance.places import StorePlace

Open = Callable[[], VersionStore]


def images(place: StorePlace) -> list[Image]:
    return list(log.read_journal(place.blobs))


def test_a_closed_store_has_told_its_journal_everything(open_here: Open, place: StorePlace) -> None:
    with open_here() as store:
        store.create_repo("images", description="pictures")
        with store.modify("images", "master", message="first") as writer:
            writer.put("/a", b"a")
        store.create_branch("images", "review", head="master")
        store.delete_branch("images", "review")
    told = {(image.kind, image.name, image.sub): image.row for image in images(place)}
    assert told["repo", "images", ""]["description"] == "pictures"
    assert told["commit", "images", writer.commit.id]["message"] == "first"
    assert told["branch", "images", "master"]["head"] == writer.commit.id
    assert told["branch", "images", "review"] is None


def test_the_journal_of_an_open_store_follows_within_seconds(open_here: Open, place: StorePlace) -> None:
    with open_here() as store:
        store.create_repo("images")
        deadline = time.monotonic() + 10
        while not images(place):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_what_a_killed_process_left_untold_is_told_by_the_next(open_here: Open, place: StorePlace) -> None:
    script = (
        "import os, sys\n"
        "from jupyter_dvmount.store import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "store.create_repo('images')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, place.url], check=False)
    assert images(place) == []
    open_here().close()
    assert [image.name for image in images(place) if image.kind == "repo"] == ["images"]


def test_a_journal_that_cannot_be_written_now_costs_no_commit(
    open_here: Open, place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise Unavailable("the network is down")

    with monkeypatch.context() as patch:
        patch.setattr(type(place.blobs), "write", fail)
        with open_here() as store:
            store.create_repo("images")
    with open_here() as store:
        assert store.inspect_repo("images").name == "images"
    assert [image.name for image in images(place) if image.kind == "repo"] == ["images"]


def test_many_blobs_become_one_and_tell_the_same(
    open_here: Open, place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_KEPT", 3)
    for number in range(5):
        with open_here() as store:
            store.create_repo(f"r{number}")
    before = {image.name: image.row for image in images(place)}
    with open_here() as store:
        store._journal.compact()
    assert [blob.name[-4:] for blob in place.blobs.list(log.JOURNAL)] == [".all"]
    assert {image.name: image.row for image in images(place)} == before
    with open_here() as store:
        store.delete_repo("r0")
    assert [image.row for image in images(place) if image.name == "r0"][-1] is None
