"""A catalog that is lost is made anew from the journal and the packs, and nobody can tell the difference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from jupyter_dvmount.store import (
    CommitRef,
    Corrupt,
    NotFound,
    Trigger,
    Unavailable,
    VersionStore,
    rebuild_store,
)
from jupyter_dvmount.store.embedded import schema

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


@pytest.mark.parametrize("loss", ["missing", "garbage", "none"])
def test_a_catalog_made_anew_equals_the_one_that_was_lost(open_here: Open, tmp_path: Path, loss: str) -> None:
    with filled(open_here()) as store:
        before = names(store), chunks(store), store.changes()[-1].seq
        url, id_ = store.url, store.id
    catalog = tmp_path / "store" / "catalog.sqlite"
    if loss == "missing":
        for path in catalog.parent.glob("catalog.sqlite*"):
            path.unlink()
        with pytest.raises(Corrupt, match="missing") as caught:
            open_here()
        assert "--rebuild" in caught.value.fix
    elif loss == "garbage":
        catalog.write_bytes(b"no database" * 1000)
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


def test_a_program_that_has_the_old_catalog_open_is_told(open_here: Open) -> None:
    store = filled(open_here())
    assert list(rebuild_store(store.url)) == []
    with pytest.raises(Unavailable, match="replaced"):
        store.create_repo("late")
    with open_here() as again:
        assert [repo.name for repo in again.list_repos()] == ["images"]


def test_a_damaged_pack_is_named_and_the_rest_comes_back(open_here: Open, tmp_path: Path) -> None:
    with filled(open_here()) as store:
        url = store.url
    victim = max((tmp_path / "store" / "packs").iterdir(), key=lambda path: path.stat().st_mtime)
    victim.write_bytes(victim.read_bytes()[:-1])
    problems = list(rebuild_store(url))
    assert [victim.name in problem.message for problem in problems] == [True]
    with open_here() as store:
        assert store.read("images", "master").open("/d/1").read() == b"1"


def test_a_journal_that_cannot_be_read_changes_nothing(open_here: Open, tmp_path: Path) -> None:
    with filled(open_here()) as store:
        url, before = store.url, names(store)
    blob = next((tmp_path / "store" / "journal").iterdir())
    blob.write_bytes(b"nonsense")
    with pytest.raises(Corrupt, match="journal"):
        list(rebuild_store(url))
    with open_here() as store:
        assert names(store) == before


def test_a_store_that_is_not_there_cannot_be_rebuilt(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        list(rebuild_store((tmp_path / "none").as_uri()))
    assert list(tmp_path.iterdir()) == []
