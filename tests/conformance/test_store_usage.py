"""What a store says that it holds."""

from __future__ import annotations

import os

from jupyter_dvmount.store import RepoUsage, Usage, VersionStore


def put(store: VersionStore, repo: str, path: str, data: bytes) -> str:
    with store.modify(repo, "master") as writer:
        writer.put(path, data)
    return writer.commit.id


def test_an_empty_store_holds_nothing(store: VersionStore) -> None:
    images = RepoUsage(repo="images", commits=0, logical=0)
    assert store.usage() == Usage(logical=0, unique=0, stored=0, packs=0, size=0, garbage=0, repos=(images,))


def test_copies_cost_nothing_and_count_for_their_repo(store: VersionStore) -> None:
    data = os.urandom(300_000)
    store.create_repo("copies")
    put(store, "images", "/a", data)
    put(store, "images", "/b", data)
    put(store, "copies", "/c", data)
    store.start_commit("copies", "master")
    put(store, "copies", "/d", data)
    usage = store.usage()
    assert usage.repos == (
        RepoUsage(repo="copies", commits=1, logical=300_000),
        RepoUsage(repo="images", commits=2, logical=900_000),
    )
    assert usage.logical == 1_200_000
    assert 300_000 < usage.unique < 310_000
    assert 300_000 < usage.stored < 310_000
    assert usage.size > usage.stored
    assert usage.garbage == 0


def test_what_compresses_is_stored_in_fewer_bytes(store: VersionStore) -> None:
    put(store, "images", "/a", b"the same again " * 20_000)
    assert store.usage().stored < store.usage().unique / 10


def test_what_a_collection_has_found_is_garbage_until_it_is_freed(store: VersionStore) -> None:
    put(store, "images", "/kept", os.urandom(200_000))
    gone = put(store, "images", "/gone", os.urandom(200_000))
    before = store.usage()
    store.drop_commit_set(gone)
    assert store.usage().garbage == 0, "nobody has looked yet"
    store.gc(grace=3600)
    found = store.usage()
    assert 200_000 < found.garbage < 210_000
    assert found.unique < before.unique - 200_000
    assert found.size == before.size
    store.gc(grace=0)
    freed = store.usage()
    assert freed.garbage < 10_000
    assert freed.size < before.size - 190_000
