"""Projects, and the types of repositories."""

from __future__ import annotations

import pytest

from jupyter_dvmount.store import AlreadyExists, Conflict, Invalid, NotFound, VersionStore


def projects(store: VersionStore) -> dict[str, int]:
    return {project.name: project.repos for project in store.list_projects()}


def test_a_project_comes_with_its_first_repository(store: VersionStore) -> None:
    store.create_repo("vision/images")
    store.create_repo("vision/labels")
    store.create_repo("vision0")
    store.create_repo("vision-2/images")
    assert projects(store) == {"default": 2, "vision": 2, "vision-2": 1}
    assert list(projects(store)) == ["default", "vision", "vision-2"]
    assert store.inspect_project("vision").created <= store.inspect_repo("vision/images").created


def test_the_default_project_is_always_there_and_need_not_be_named(store: VersionStore) -> None:
    assert store.inspect_project("default").repos == 1
    assert store.inspect_repo("default/images").name == "images"
    assert store.create_repo("default/labels").name == "labels"
    with pytest.raises(AlreadyExists):
        store.create_repo("labels")
    with store.modify("default/images", "master") as writer:
        writer.put("/a", b"a")
    assert writer.commit.repo == "images"
    assert store.read("images", "master").lookup("/a") is not None
    store.delete_repo("default/images", force=True)
    store.delete_repo("labels")
    assert projects(store) == {"default": 0}
    with pytest.raises(Invalid, match="cannot be deleted"):
        store.delete_project("default")
    with pytest.raises(AlreadyExists):
        store.create_project("default")


def test_the_default_project_is_there_before_its_first_repository(open_here) -> None:
    store = open_here()
    assert projects(store) == {"default": 0}
    vision = store.create_project("vision")
    assert store.inspect_project("default").created == vision.created


def test_a_project_is_made_described_and_deleted(store: VersionStore) -> None:
    made = store.create_project("vision", description="Everything with a camera")
    assert (made.name, made.description, made.repos) == ("vision", "Everything with a camera", 0)
    assert store.inspect_project("vision") == made
    store.create_repo("vision/images")
    assert store.inspect_project("vision").created == made.created
    with pytest.raises(AlreadyExists, match="project 'vision' exists"):
        store.create_project("vision")
    with pytest.raises(Conflict, match="project 'vision' has 1 repos"):
        store.delete_project("vision")
    store.delete_repo("vision/images")
    store.delete_project("vision")
    with pytest.raises(NotFound, match="no project 'vision'"):
        store.inspect_project("vision")
    with pytest.raises(NotFound):
        store.delete_project("vision")


@pytest.mark.parametrize("name", ["", "a/b", "a b", "..", "é", "a\n"])
def test_a_malformed_project_is_refused(store: VersionStore, name: str) -> None:
    for verb in (store.create_project, store.inspect_project, store.delete_project):
        with pytest.raises(Invalid, match="illegal project name"):
            verb(name)


def test_the_feed_tells_of_projects(store: VersionStore) -> None:
    start = store.changes()[0].seq
    store.create_project("a")
    store.create_repo("b/images")
    store.delete_project("a")
    assert [(c.kind, c.action, c.repo) for c in store.changes(start)] == [
        ("project", "created", "a"),
        ("project", "created", "b"),
        ("repo", "created", "b/images"),
        ("project", "deleted", "a"),
    ]


def test_repositories_of_a_type_are_listed(store: VersionStore) -> None:
    assert store.create_repo("edges.spec", type="spec").type == "spec"
    store.create_repo("edges.meta", type="meta")
    assert [repo.name for repo in store.list_repos(type="user")] == ["images"]
    assert [repo.name for repo in store.list_repos(type="spec")] == ["edges.spec"]
    assert [repo.name for repo in store.list_repos()] == ["edges.meta", "edges.spec", "images"]
    assert store.inspect_repo("edges.meta").type == "meta"
    with pytest.raises(Invalid, match="illegal repo type"):
        store.create_repo("x", type="data")
