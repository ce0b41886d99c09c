"""A catalog that is lost is made anew from the journal and the packs, and nobody can tell the difference."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from jupyter_dvmount.store import (
    CommitRef,
    Corrupt,
    NotFound,
    Trigger,
    VersionStore,
    rebuild_store,
)
from jupyter_dvmount.store.embedded.blobs.base import PACKS
from jupyter_dvmount.store.embedded.catalog import schema
from jupyter_dvmount.store.embedded.journal.log import JOURNAL
from tests.conformance.places import StorePlace

Open = Callable[[], VersionStore]


def filled(store: VersionStore) -> VersionStore:
    """A store with something of everything."""
    store.create_repo("images", description="pictures")
    store.create_repo("gone")
    for number in range(3):
        with store.modify("images", "master", message=f"commit {number}", author="me") as writer:
            writer.put(f"/d/{number}", b"%d" % number)
            writer.put("/large", bytes([number]) * 400_000)
    with store.modify("gone", "master") as writer:
        writer.put("/a", b"a")
    store.create_branch("images", "review", head="master^")
    store.create_branch("images", "old", head="master~2")
    store.delete_branch("images", "old")
    store.delete_repo("gone", force=True)
    store.start_commit("images", "open")
    with store.modify("images", "open") as writer:
        writer.put("/staged", b"staged")
    return store


def names(store: VersionStore) -> dict[str, list[tuple[object, ...]]]:
    """All rows that tell of names and commits."""
    tables = (schema.projects, schema.repos, schema.branches, schema.commits, schema.provenance)
    with store._catalog.read() as connection:
        return {t.name: sorted(map(tuple, connection.execute(select(t))), key=repr) for t in tables}


def chunks(store: VersionStore) -> list[tuple[object, ...]]:
    """Every chunk with its place."""
    c, p = schema.chunks.c, schema.packs.c
    query = select(c.hash, p.name, c.offset, c.stored, c.raw, c.codec).join(schema.packs, p.num == c.pack)
    with store._catalog.read() as connection:
        return sorted(map(tuple, connection.execute(query)))


def test_what_goes_across_repositories_comes_back_too(open_here: Open) -> None:
    with open_here() as store:
        url = store.url
        store.create_project("empty", description="for later")
        store.create_repo("images")
        store.create_repo("vision/edges", type="meta")
        store.create_branch("images", "stable", trigger=Trigger(branch="master", commits=2))
        ids = []
        for number in range(5):
            with store.modify("images", "master") as writer:
                writer.put(f"/{number}", b"%d" % number)
            ids.append(writer.commit.id)
            source = [CommitRef("images", ids[-1])]
            store.start_commit("vision/edges", "master", id=ids[-1], provenance=source, origin="auto")
            store.finish_commit("vision/edges", "master", error="broken" if number == 3 else "")
        store.create_branch("images", "stable", head=ids[2])
        store.squash_commit_set(ids[1])
        store.drop_commit_set(ids[4])
        store.start_commit("images", "master")
        store.drop_commit("images", "master")
        store.start_commit("vision/edges", "master", provenance=[CommitRef("images", ids[0])])
        before = names(store)
    assert list(rebuild_store(url)) == []
    with open_here() as store:
        assert names(store) == before
        assert [commit.id for commit in store.list_commits("images", branch="master")] == [
            ids[3],
            ids[2],
            ids[0],
        ]


@pytest.mark.parametrize("loss", ["missing", "none"])
def test_a_catalog_made_anew_equals_the_one_that_was_lost(
    open_here: Open, place: StorePlace, loss: str
) -> None:
    with filled(open_here()) as store:
        before = names(store), chunks(store), store.changes()[-1].seq
        url, id_ = store.url, store.id
    if loss == "missing":
        place.drop_catalog()
        with pytest.raises(Corrupt, match=r"is missing|no store in it") as caught:
            open_here()
        assert "--rebuild" in caught.value.fix
    assert list(rebuild_store(url)) == []
    with open_here() as store:
        assert (names(store), chunks(store)) == before[:2]
        assert store.id == id_
        assert store.changes()[-1].seq > before[2]
        assert list(store.fsck(full=True)) == []
        store.finish_commit("images", "open")
        assert store.read("images", "open").open("/staged").read() == b"staged"
        assert store.read("images", "master^").open("/large").read() == bytes([1]) * 400_000


def test_what_came_after_a_rebuild_survives_the_next(open_here: Open) -> None:
    with filled(open_here()) as store:
        url = store.url
    assert list(rebuild_store(url)) == []
    with open_here() as store, store.modify("images", "master", message="later") as writer:
        writer.put("/later", b"later")
    with open_here() as store:
        before = names(store)
    assert list(rebuild_store(url)) == []
    with open_here() as store:
        assert names(store) == before
        assert store.read("images", "master").open("/later").read() == b"later"


def test_a_damaged_pack_is_named_and_the_rest_comes_back(open_here: Open, place: StorePlace) -> None:
    with filled(open_here()) as store:
        url = store.url
        hash_ = store.read("images", "master").lookup("/d/2").hash
        victim = store._catalog.find_chunk(bytes.fromhex(hash_)).pack
    place.blobs.write(PACKS + victim, place.blobs.load(PACKS + victim)[:-1])
    problems = list(rebuild_store(url))
    assert [victim in problem.message for problem in problems] == [True]
    with open_here() as store:
        assert store.read("images", "master").open("/d/1").read() == b"1"


def test_a_journal_that_cannot_be_read_changes_nothing(open_here: Open, place: StorePlace) -> None:
    with filled(open_here()) as store:
        url, before = store.url, names(store)
    blob = next(place.blobs.list(JOURNAL))
    place.blobs.write(blob.name, b"nonsense")
    with pytest.raises(Corrupt, match="journal"):
        list(rebuild_store(url))
    with open_here() as store:
        assert names(store) == before


def test_a_store_that_is_not_there_cannot_be_rebuilt(place: StorePlace) -> None:
    with pytest.raises(NotFound):
        list(rebuild_store(place.url))
    assert list(place.blobs.list("")) == []
