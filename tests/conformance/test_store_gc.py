"""Garbage collection frees what no commit needs and nothing else, whoever writes meanwhile."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from jupyter_dvmount.store import Conflict, Corrupt, VersionStore, open_store
from jupyter_dvmount.store.embedded.blobs import Blobs
from jupyter_dvmount.store.embedded.fsck import check
from jupyter_dvmount.store.embedded.gc import packing
from jupyter_dvmount.store.embedded.packs import pack
from tests.conformance.places import StorePlace

MB = 1_000_000
Open = Callable[[], VersionStore]


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def put(store: VersionStore, path: str, data: bytes, branch: str = "master") -> str:
    with store.modify("images", branch) as writer:
        writer.put(path, data)
    return writer.commit.id


def content(store: VersionStore, branch: str = "master") -> dict[str, bytes]:
    reader = store.read("images", branch)
    return {file.path: reader.open(file.path).read() for file in reader.walk() if file.type == "file"}


def test_what_a_deleted_repo_held_is_freed_and_the_rest_stays(store: VersionStore, place: StorePlace) -> None:
    put(store, "/kept", noise(1, 2 * MB))
    store.create_repo("other")
    with store.modify("other", "master") as writer:
        writer.put("/shared", noise(1, 2 * MB))
        writer.put("/own", noise(2, 3 * MB))
    before = place.stored()
    assert store.usage().size == before
    store.delete_repo("other", force=True)
    result = store.gc(grace=0)
    assert store.usage().size == place.stored()
    assert result.removed_bytes >= 3 * MB
    assert result.freed == before - place.stored() >= 3 * MB
    assert content(store) == {"/kept": noise(1, 2 * MB)}
    assert list(store.fsck(full=True)) == []
    again = store.gc(grace=0)
    assert (again.condemned, again.removed, again.freed) == (0, 0, 0)


def test_within_the_grace_nothing_is_removed_and_a_put_takes_it_back(store: VersionStore) -> None:
    store.create_repo("other")
    with store.modify("other", "master") as writer:
        writer.put("/a", noise(3, MB))
    store.delete_repo("other", force=True)
    assert store.gc(grace=3600).condemned > 0
    assert store.gc(grace=3600).removed == 0
    put(store, "/a", noise(3, MB))
    store.gc(grace=0)
    assert content(store) == {"/a": noise(3, MB)}
    assert list(store.fsck(full=True)) == []


def test_open_commits_and_old_ones_are_kept(store: VersionStore) -> None:
    first = put(store, "/a", b"first")
    with store.modify("images", "master") as writer:
        writer.delete("/a")
    store.start_commit("images", "dev")
    put(store, "/staged", noise(4, MB), "dev")
    store.gc(grace=0)
    store.finish_commit("images", "dev")
    assert content(store, "dev") == {"/staged": noise(4, MB)}
    assert store.read("images", first).open("/a").read() == b"first"


def test_a_commit_made_while_it_was_collected_keeps_what_it_shares(
    store: VersionStore, open_here: Open
) -> None:
    """The collection comes between the writer's look and its commit, once within the grace and once not."""
    for grace, ends_well in ((3600.0, True), (0.0, False)):
        store.create_repo("other")
        with store.modify("other", "master") as writer:
            writer.put("/a", noise(5, MB))
        collector = open_here()

        def write(collector: VersionStore = collector, grace: float = grace) -> None:
            with store.modify("images", "master") as writer:
                writer.put("/same", noise(5, MB))  # shares the chunks of the other repo
                collector.delete_repo("other", force=True)
                assert collector.gc(grace=grace).condemned > 0

        if ends_well:
            write()
            assert content(store) == {"/same": noise(5, MB)}
            with store.modify("images", "master") as writer:
                writer.delete("/same")
            for commit in list(store.list_commits("images")):
                assert commit.id
        else:
            store.delete_repo("images", force=True)
            store.create_repo("images")
            with pytest.raises(Conflict, match="garbage collection"):
                write()
            write_again = put(store, "/same", noise(5, MB))
            assert store.inspect_commit("images", "master").id == write_again
        store.gc(grace=0)
        assert list(store.fsck(full=True)) == []


def test_a_copy_is_protected_like_a_put(store: VersionStore, open_here: Open) -> None:
    store.create_repo("other")
    with store.modify("other", "master") as writer:
        writer.put("/d/large", noise(6, 2 * MB))
        writer.put("/d/small", noise(7, 1000))
    collector = open_here()

    def copy(grace: float) -> None:
        with store.modify("images", "master") as writer:
            writer.copy("other", "master", "/d", "/copy")
            collector.delete_repo("other", force=True)
            collector.gc(grace=grace)

    copy(3600.0)
    assert content(store) == {"/copy/large": noise(6, 2 * MB), "/copy/small": noise(7, 1000)}
    store.gc(grace=0)
    assert content(store) == {"/copy/large": noise(6, 2 * MB), "/copy/small": noise(7, 1000)}


def test_packs_of_a_long_put_are_not_collected_before_its_commit(
    store: VersionStore, open_here: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "TARGET", MB)
    collector = open_here()
    with store.modify("images", "master") as writer:
        for number in range(4):
            writer.put(f"/{number}", noise(100 + number, MB))
            assert collector.gc(grace=0).condemned == 0
    assert len(content(store)) == 4
    assert list(store.fsck(full=True)) == []


def test_packs_of_a_writer_that_died_are_freed(
    store: VersionStore, place: StorePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        "import os, sys\n"
        "from jupyter_dvmount.store import open_store\n"
        "from jupyter_dvmount.store.embedded.packs import pack\n"
        "pack.TARGET = 300_000\n"
        "with open_store(sys.argv[1]).modify('images', 'master') as writer:\n"
        "    for number in range(9): writer.put(f'/{number}', os.urandom(200_000))\n"
        "    writer._session._wait_sealed()\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, store.url], check=False)
    assert done.returncode == -signal.SIGKILL
    put(store, "/a", b"a")
    assert store.gc(grace=0).removed == 0  # it may only be slow
    monkeypatch.setattr("jupyter_dvmount.store.embedded.gc.collector.EXPIRES", 0.0)
    assert store.gc(grace=0).removed_bytes > MB
    assert place.stored() < 10_000
    assert content(store) == {"/a": b"a"}


def test_packs_that_are_mostly_unused_are_rewritten(store: VersionStore, place: StorePlace) -> None:
    with store.modify("images", "master") as writer:
        for number in range(10):
            writer.put(f"/{number}", noise(200 + number, 200_000))
    store.create_repo("kept")
    with store.modify("kept", "master") as writer:
        writer.copy("images", "master", "/3", "/3")
    reader = store.read("kept", "master")
    store.delete_repo("images", force=True)
    result = store.gc(grace=0)
    assert result.packs_rewritten >= 1
    assert place.stored() < 210_000
    assert reader.open("/3").read() == noise(203, 200_000)
    assert list(store.fsck(full=True)) == []


def test_many_small_packs_become_few(store: VersionStore, place: StorePlace) -> None:
    for number in range(packing._MANY):
        put(store, f"/{number}", b"%d" % number)
    assert len(place.packs()) == 2 * packing._MANY
    store.gc(grace=0)
    assert len(place.packs()) == 2
    assert len(content(store)) == packing._MANY
    assert list(store.fsck(full=True)) == []


def test_a_store_that_cannot_be_read_whole_is_not_collected(store: VersionStore, place: StorePlace) -> None:
    put(store, "/a", noise(8, MB))
    store.close()
    with open_store(store.url) as again:
        for name, size in place.packs().items():
            if size < 10_000:  # the tree
                place.blobs.delete(name)
        with pytest.raises(Corrupt, match="cannot collect garbage"):
            again.gc(grace=0)
    assert place.stored() >= MB


def test_a_check_beside_a_collection_finds_nothing(
    store: VersionStore, open_here: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collection moves and deletes packs between what the check reads of the catalog and of the packs."""
    for number in range(packing._MANY):
        put(store, f"/{number}", b"%d" % number)
    collector = open_here()
    look, one_at_a_time = check._hash_chunks, threading.Lock()

    def late(blobs: Blobs, of: object) -> object:
        with one_at_a_time:
            collector.gc(grace=0)
        return look(blobs, of)

    monkeypatch.setattr(check, "_hash_chunks", late)
    assert list(store.fsck(full=True)) == []
    assert len(content(store)) == packing._MANY


def test_one_collection_runs_at_a_time(store: VersionStore, open_here: Open) -> None:
    other = open_here()
    with other._catalog.alone("gc"), pytest.raises(Conflict, match="another 'dvmount gc' is running"):
        store.gc()


GC = """
import sys
from jupyter_dvmount.store import open_store
store = open_store(sys.argv[1])
while True:
    store.gc(grace=0)
"""
WRITER = """
import random, sys, time
from jupyter_dvmount.store import Conflict, open_store
store, seed = open_store(sys.argv[1]), int(sys.argv[2])
chance = random.Random(seed)
for turn in range(40):
    try:
        with store.modify("images", f"b{seed}") as writer:
            for number in range(turn, turn + 3):  # contents that were garbage a moment ago, or are
                writer.put(f"/{number}", random.Random(number).randbytes(50_000 + number))
            time.sleep(chance.random() / 20)  # time for a collection between the look and the commit
        if chance.random() < 0.6:
            name = f"t{seed}-{turn}"
            store.create_repo(name)
            with store.modify(name, "master") as writer:
                for number in range(turn + 1, turn + 6):
                    writer.put(f"/{number}", random.Random(number).randbytes(50_000 + number))
            store.delete_repo(name, force=True)
    except Conflict:
        pass
    for file in store.read("images", f"b{seed}").walk():
        assert store.read("images", f"b{seed}").open(file.path).read() == random.Random(
            int(file.name)).randbytes(file.size), file.path
"""


def test_writers_and_collectors_race_and_no_byte_is_lost(store: VersionStore) -> None:
    collectors = [subprocess.Popen([sys.executable, "-c", GC, store.url], stderr=subprocess.PIPE)]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, store.url, str(seed)], stderr=subprocess.PIPE, text=True
        )
        for seed in range(2)
    ]
    try:
        for writer in writers:
            _, errors = writer.communicate(timeout=120)
            assert writer.returncode == 0, errors
        assert collectors[0].poll() is None, collectors[0].stderr.read()
    finally:
        for process in (*collectors, *writers):
            process.kill()
            process.communicate()
    assert list(store.fsck(full=True)) == []
