"""Commit sets, projects and provenance from the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_dvmount.store import CommitRef, open_store
from tests.integration.cli.command import Dvmount, Start


@pytest.fixture
def edges(dvmount: Dvmount, images: str, places: Path) -> str:
    """Id of a commit of ``images``, and of the one of ``edges`` that was computed from it."""
    (id_,) = dvmount.commits()
    with open_store((places / "store").as_uri()) as store:
        store.create_repo("edges")
        store.create_repo("edges.meta", type="meta")
        store.start_commit("edges", "master", id=id_, provenance=[CommitRef("images", id_)], origin="auto")
        store.finish_commit("edges", "master")
    return id_


def test_a_commit_shows_what_it_was_computed_from(dvmount: Dvmount, edges: str) -> None:
    commit = dvmount.json("inspect", "commit", "edges@master")
    assert commit["provenance"] == [{"repo": "images", "id": edges}]
    assert f" images@{edges}\n" in dvmount("inspect", "commit", "edges@master")


def test_commits_are_listed_by_their_origin(dvmount: Dvmount, edges: str) -> None:
    dvmount("put", "file", "edges@master:/by-hand", stdin=b"1")
    assert [c["id"] for c in dvmount.json("list", "commit", "edges", "--origin", "auto", "-n", "5")] == [
        edges
    ]
    (user,) = dvmount.json("list", "commit", "edges@master", "--origin", "user", "-n", "1")
    assert user["id"] != edges


def test_commit_sets_are_listed_and_shown(dvmount: Dvmount, edges: str) -> None:
    newer = dvmount("put", "file", "images:/b", stdin=b"b").strip()
    listed = dvmount.json("list", "commitset")
    assert [each["id"] for each in listed] == [newer, edges]
    assert [each["id"] for each in dvmount.json("list", "commitset", "-n", "1")] == [newer]
    shown = dvmount.json("inspect", "commitset", edges[:8])
    assert shown == listed[1]
    assert shown["commits"] == [{"repo": "images", "id": edges}, {"repo": "edges", "id": edges}]
    assert f"images@{edges}, edges@{edges}" in dvmount("inspect", "commitset", edges)
    assert dvmount("list", "commitset").splitlines()[1].split("\t")[:3] == [edges, "finished", "2"]


def test_a_change_is_taken_back_with_what_was_computed_from_it(dvmount: Dvmount, edges: str) -> None:
    newer = dvmount("put", "file", "images:/b", stdin=b"b").strip()
    assert f"{newer} comes after it; squash" in dvmount.error("drop", "commitset", edges)
    dvmount("drop", "commitset", newer)
    assert dvmount.commits() == [edges]
    dvmount("drop", "commitset", edges)
    assert dvmount.commits() == dvmount.commits("edges") == []


def test_a_squashed_change_stays_in_what_comes_after(dvmount: Dvmount, images: str) -> None:
    ids = [dvmount("put", "file", f"images:/{n}", stdin=b"1").strip() for n in range(2)]
    paths = dvmount.paths("images@master")
    assert "it is the head of master" in dvmount.error("squash", "commitset", ids[1])
    dvmount("squash", "commitset", ids[0])
    assert ids[0] not in dvmount.commits()
    assert dvmount.paths("images@master") == paths


def test_waiting_for_a_commit_set(dvmount: Dvmount, images: str, start: Start) -> None:
    commit = dvmount("start", "commit", "images").strip()
    assert commit in dvmount.error("wait", "commitset", commit, "--timeout", "0.1")
    waiting = start("wait", "commitset", commit, "-o", "json")
    dvmount("finish", "commit", "images")
    out, _ = waiting.communicate(timeout=30)
    assert waiting.returncode == 0
    assert b'"finished"' in out


def test_projects_are_made_shown_and_deleted(dvmount: Dvmount) -> None:
    dvmount("create", "project", "vision", "-d", "cameras")
    dvmount("create", "repo", "vision/images")
    dvmount("create", "repo", "default/labels")
    listed = {each["name"]: each["repos"] for each in dvmount.json("list", "project")}
    assert listed == {"default": 1, "vision": 1}
    assert dvmount.json("inspect", "project", "vision")["description"] == "cameras"
    assert "delete them first" in dvmount.error("delete", "project", "vision")
    dvmount("delete", "repo", "vision/images")
    dvmount("delete", "project", "vision")
    assert [each["name"] for each in dvmount.json("list", "project")] == ["default"]
    assert [each["name"] for each in dvmount.json("list", "repo")] == ["labels"]


def test_repositories_of_pipelines_are_listed_when_asked_for(dvmount: Dvmount, edges: str) -> None:
    def names(*options: str) -> list[str]:
        return [each["name"] for each in dvmount.json("list", "repo", *options)]

    assert names() == ["edges", "images"]
    assert names("--all") == ["edges", "edges.meta", "images"]
    assert names("--type", "meta") == ["edges.meta"]
    assert dvmount.run("list", "repo", "--all", "--type", "meta").exit_code == 2


def test_a_shallow_difference_shows_directories(dvmount: Dvmount, images: str) -> None:
    assert dvmount("diff", "file", "images@master").splitlines() == ["A\t/a.txt", "A\t/pets/cat.txt"]
    shallow = dvmount("diff", "file", "images@master", "--shallow").splitlines()
    assert shallow == ["A\t/a.txt", "A\t/pets/"]


def test_ids_are_completed(dvmount: Dvmount, edges: str, start: Start) -> None:
    def complete(words: str, count: int) -> bytes:
        env = {
            **os.environ,
            "_DVMOUNT_COMPLETE": "zsh_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(count),
        }
        out, err = start(env=env).communicate(timeout=30)
        assert err == b""
        return out

    assert edges.encode() in complete("dvmount inspect commitset " + edges[:2], 3)
    assert f"edges@{edges}".encode() in complete(f"dvmount inspect commit edges@{edges[:2]}", 3)
    assert edges.encode() not in complete("dvmount inspect commit edges@", 3)
    assert edges.encode() not in complete(f"dvmount inspect branch edges@{edges[:2]}", 3)
