"""Commit sets and provenance: what one change causes, over all repos."""

from __future__ import annotations

import threading
import uuid

import pytest

from jupyter_dvmount.store import (
    AlreadyExists,
    Commit,
    CommitRef,
    Conflict,
    Invalid,
    NotFound,
    Unavailable,
    VersionStore,
)


def put(store: VersionStore, repo: str, name: str, data: bytes = b"") -> Commit:
    with store.modify(repo, "master") as writer:
        writer.put(name, data)
    return writer.commit


def ref(commit: Commit) -> CommitRef:
    return CommitRef(commit.repo, commit.id)


def derive(store: VersionStore, repo: str, *upstream: Commit, error: str = "") -> Commit:
    """What a pipeline does: a commit computed from others, in the set of the last of them."""
    started = store.start_commit(
        repo, "master", id=upstream[-1].id, provenance=map(ref, upstream), origin="auto"
    )
    with store.modify(repo, started.id) as writer:
        writer.put(f"/{len(upstream)}/{started.id}", b"result")
    return store.finish_commit(repo, started.id, error=error)


@pytest.fixture
def pipeline(store: VersionStore) -> VersionStore:
    """images → edges, and both → montage."""
    store.create_repo("edges")
    store.create_repo("montage")
    return store


def run(store: VersionStore, name: str) -> tuple[Commit, Commit, Commit]:
    images = put(store, "images", name)
    edges = derive(store, "edges", images)
    return images, edges, derive(store, "montage", edges, images)


def state(store: VersionStore) -> object:
    """Everything that squash and drop may touch."""
    names = [repo.name for repo in store.list_repos()]
    return (
        [list(store.list_branches(name)) for name in names],
        [list(store.list_commits(name)) for name in names],
    )


def test_commits_of_one_change_share_its_id(pipeline: VersionStore) -> None:
    images, edges, montage = run(pipeline, "/a")
    assert images.id == edges.id == montage.id
    assert (images.origin, edges.origin) == ("user", "auto")
    assert edges.provenance == (ref(images),)
    assert montage.provenance == (ref(edges), ref(images))
    assert pipeline.inspect_commit("montage", "master") == montage
    assert list(pipeline.list_commits("montage")) == [montage]
    assert pipeline.read("montage", "master").commit == montage


def test_provenance_and_subvenance_reach_through_others_nearest_first(pipeline: VersionStore) -> None:
    pipeline.create_repo("report")
    images, edges, montage = run(pipeline, "/a")
    report = derive(pipeline, "report", montage)
    assert list(pipeline.provenance("report", "master")) == [montage, images, edges]
    assert list(pipeline.provenance("images", "master")) == []
    assert list(pipeline.subvenance("images", "master")) == [edges, montage, report]
    assert list(pipeline.subvenance("edges", edges.id)) == [montage, report]
    assert list(pipeline.subvenance("report", "master")) == []


def test_a_commit_set_is_found_by_its_id_or_the_beginning_of_it(pipeline: VersionStore) -> None:
    commits = run(pipeline, "/a")
    found = pipeline.inspect_commit_set(commits[0].id)
    assert found == pipeline.inspect_commit_set(commits[0].id[:8])
    assert found.commits == tuple(map(ref, commits))
    assert (found.state, found.error) == ("finished", "")
    assert (found.started, found.finished) == (commits[0].started, commits[2].finished)
    for wrong, error in {"0" * 32: NotFound, "zzzz": Invalid, "abc": Invalid, "": Invalid}.items():
        with pytest.raises(error):
            pipeline.inspect_commit_set(wrong)


def test_commit_sets_are_listed_newest_first_and_in_pages(pipeline: VersionStore) -> None:
    ids = [run(pipeline, f"/{number}")[0].id for number in range(5)]
    listed = list(pipeline.list_commit_sets())
    assert [each.id for each in listed] == ids[::-1]
    assert {len(each.commits) for each in listed} == {3}
    assert [each.id for each in pipeline.list_commit_sets(limit=2)] == ids[:2:-1]
    assert [each.id for each in pipeline.list_commit_sets(after=ids[3], limit=2)] == [ids[2], ids[1]]
    with pytest.raises(NotFound):
        pipeline.list_commit_sets(after="0" * 32)


def test_a_repo_has_one_commit_of_a_set(pipeline: VersionStore) -> None:
    images, _, _ = run(pipeline, "/a")
    with pytest.raises(AlreadyExists, match=f"edges@{images.id} exists"):
        pipeline.start_commit("edges", "other", id=images.id)
    with pytest.raises(Invalid, match="illegal commit id"):
        pipeline.start_commit("edges", "other", id=images.id.upper() + "0")
    assert [branch.name for branch in pipeline.list_branches("edges")] == ["master"]


def test_nothing_is_computed_from_what_is_not_there_or_not_finished(pipeline: VersionStore) -> None:
    started = pipeline.start_commit("images", "master")
    with pytest.raises(Conflict, match=f"images@{started.id} is not finished"):
        pipeline.start_commit("edges", "master", provenance=[ref(started)])
    with pytest.raises(NotFound, match="no commit"):
        pipeline.start_commit("edges", "master", provenance=[CommitRef("images", "0" * 32)])
    with pytest.raises(NotFound, match="no repo 'none'"):
        pipeline.start_commit("edges", "master", provenance=[CommitRef("none", started.id)])
    assert list(pipeline.list_branches("edges")) == []
    assert list(pipeline.list_commits("edges")) == []


def test_a_commit_with_an_error_is_finished_and_no_branch_moves_to_it(pipeline: VersionStore) -> None:
    images, edges, _ = run(pipeline, "/a")
    failed = derive(pipeline, "edges", put(pipeline, "images", "/b"), error="datum 3f8c failed")
    branch = pipeline.inspect_branch("edges", "master")
    assert (branch.head, branch.open) == (edges.id, None)
    assert (failed.state, failed.error) == ("finished", "datum 3f8c failed")
    assert failed.finished is not None
    assert pipeline.inspect_commit("edges", failed.id) == failed
    assert pipeline.inspect_commit_set(failed.id).error == "datum 3f8c failed"
    assert pipeline.start_commit("edges", "master").parent == images.id


def test_waiting_for_a_commit_set_ends_with_its_last_commit(pipeline: VersionStore) -> None:
    images = put(pipeline, "images", "/a")
    pipeline.start_commit("edges", "master", id=images.id)
    assert pipeline.inspect_commit_set(images.id).state == "started"
    assert pipeline.inspect_commit_set(images.id).finished is None
    with pytest.raises(Unavailable, match=f"commit set {images.id} is not finished after"):
        pipeline.wait_commit_set(images.id, timeout=0.05)
    timer = threading.Timer(0.1, pipeline.finish_commit, ("edges", "master"))
    timer.start()
    try:
        assert pipeline.wait_commit_set(images.id, timeout=30).state == "finished"
    finally:
        timer.join()


def test_a_squashed_set_leaves_its_changes_to_its_children(pipeline: VersionStore) -> None:
    first, second, third = (run(pipeline, name)[0].id for name in ("/a", "/b", "/c"))
    pipeline.create_branch("images", "side", head=third)
    before = pipeline.read("images", "master")
    files = [file.path for file in before.walk()]
    pipeline.squash_commit_set(second[:8])
    for repo in ("images", "edges", "montage"):
        assert [commit.id for commit in pipeline.list_commits(repo, branch="master")] == [third, first]
        assert pipeline.inspect_commit(repo, "master").parent == first
    assert [file.path for file in pipeline.read("images", "master").walk()] == files
    assert [entry.path for entry in pipeline.diff("images", "master")] == ["/b", "/c"]
    with pytest.raises(NotFound):
        pipeline.inspect_commit_set(second)
    pipeline.squash_commit_set(first)
    assert pipeline.inspect_commit("edges", "master").parent is None
    assert list(pipeline.fsck(full=True)) == []


def test_squash_refuses_and_names_what_is_in_the_way(pipeline: VersionStore) -> None:
    first, edges, _ = run(pipeline, "/a")
    last, _, _ = run(pipeline, "/b")
    failed = derive(pipeline, "edges", put(pipeline, "images", "/c"), error="broken")
    started = pipeline.start_commit("montage", "master")
    later = pipeline.start_commit("edges", "other", provenance=[ref(first)])
    unchanged = state(pipeline)
    for id_, reason in {
        last.id: f"cannot squash commit edges@{last.id}: it is the head of master",
        first.id: f"cannot squash commit images@{first.id}: it is provenance of edges@{later.id}",
        started.id: f"cannot squash commit montage@{started.id}: it is open",
        failed.id: f"cannot squash commit images@{failed.id}: it is the head of master",
    }.items():
        with pytest.raises(Conflict) as caught:
            pipeline.squash_commit_set(id_)
        assert caught.value.message == reason
        assert caught.value.fix
    assert state(pipeline) == unchanged
    pipeline.create_branch("images", "master", head=last.id)
    with pytest.raises(Conflict, match="no commit after it would keep what it changed"):
        pipeline.squash_commit_set(failed.id)
    assert edges.id == first.id


def test_a_dropped_set_takes_its_changes_with_it(pipeline: VersionStore) -> None:
    first, _, _ = run(pipeline, "/a")
    second, _, _ = run(pipeline, "/b")
    pipeline.create_branch("images", "side", head="master")
    pipeline.drop_commit_set(second.id)
    for repo in ("images", "edges", "montage"):
        assert pipeline.inspect_branch(repo, "master").head == first.id
        assert [commit.id for commit in pipeline.list_commits(repo)] == [first.id]
    assert pipeline.inspect_branch("images", "side").head == first.id
    assert [file.path for file in pipeline.read("images", "master").walk()] == ["/a"]
    pipeline.drop_commit_set(first.id)
    assert [branch.head for branch in pipeline.list_branches("images")] == [None, None]
    assert list(pipeline.list_commit_sets()) == []


def test_dropping_a_set_drops_its_open_commits(pipeline: VersionStore) -> None:
    first, _, _ = run(pipeline, "/a")
    second = put(pipeline, "images", "/b")
    pipeline.start_commit("edges", "master", id=second.id, provenance=[ref(second)])
    failed = derive(pipeline, "montage", second, error="broken")
    pipeline.drop_commit_set(failed.id)
    branch = pipeline.inspect_branch("edges", "master")
    assert (branch.head, branch.open) == (first.id, None)
    assert [each.id for each in pipeline.list_commit_sets()] == [first.id]


def test_drop_refuses_and_names_what_is_in_the_way(pipeline: VersionStore) -> None:
    first, _, _ = run(pipeline, "/a")
    second, _, _ = run(pipeline, "/b")
    used = pipeline.start_commit("edges", "other", provenance=[ref(second)])
    unchanged = state(pipeline)
    for id_, reason in {
        first.id: f"cannot drop commit images@{first.id}: {second.id} comes after it",
        second.id: f"cannot drop commit images@{second.id}: it is provenance of edges@{used.id}",
    }.items():
        with pytest.raises(Conflict) as caught:
            pipeline.drop_commit_set(id_)
        assert caught.value.message == reason
    assert state(pipeline) == unchanged
    pipeline.drop_commit("edges", "other")
    pipeline.drop_commit_set(second.id)
    assert pipeline.inspect_branch("montage", "master").head == first.id


def test_the_feed_tells_of_every_row_that_squash_and_drop_change(pipeline: VersionStore) -> None:
    ids = [run(pipeline, name)[0].id for name in ("/a", "/b", "/c")]
    start = pipeline.changes()[0].seq
    pipeline.squash_commit_set(ids[1])
    repos = ("images", "edges", "montage")
    squashed = {(c.kind, c.action, c.repo, c.branch, c.commit) for c in pipeline.changes(start)}
    assert squashed == {("commit", "updated", repo, "master", ids[2]) for repo in repos} | {
        ("commit", "deleted", repo, "master", ids[1]) for repo in repos
    }
    start = pipeline.changes()[0].seq
    pipeline.drop_commit_set(ids[2])
    dropped = {(c.kind, c.action, c.repo, c.branch, c.commit) for c in pipeline.changes(start)}
    assert dropped == {("branch", "updated", repo, "master", ids[0]) for repo in repos} | {
        ("commit", "deleted", repo, "master", ids[2]) for repo in repos
    }


def test_a_repo_that_others_were_computed_from_is_deleted_only_by_force(pipeline: VersionStore) -> None:
    images, edges, montage = run(pipeline, "/a")
    with pytest.raises(Conflict, match=f"they are provenance of edges@{edges.id}, montage@{montage.id}"):
        pipeline.delete_repo("images")
    pipeline.delete_repo("images", force=True)
    assert pipeline.inspect_commit("edges", "master").provenance == ()
    assert pipeline.inspect_commit("montage", "master").provenance == (ref(edges),)
    assert pipeline.inspect_commit_set(images.id).commits == (ref(edges), ref(montage))


def test_ids_are_free_again_after_a_drop(store: VersionStore) -> None:
    id_ = uuid.uuid4().hex
    store.start_commit("images", "master", id=id_)
    store.drop_commit_set(id_)
    assert store.start_commit("images", "master", id=id_).id == id_
