"""Every route with the real store; every answer is compared with openapi.yaml by the ``rest`` fixture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.store import VersionStore
from tests.integration.server.conftest import Put, Rest


async def test_a_repository_is_made_listed_inspected_and_deleted(rest: Rest) -> None:
    assert await rest("GET", "/repos") == (200, {"items": [], "next": None})
    status, made = await rest("POST", "/repos", {"name": "images", "description": "of cats"})
    assert status == 201
    assert made["description"] == "of cats"
    assert await rest("GET", "/repo", repo="images") == (200, made)
    assert (await rest("GET", "/repos"))[1]["items"] == [made]
    assert await rest("DELETE", "/repo", repo="images") == (204, None)
    assert (await rest("GET", "/repo", repo="images"))[0] == 404


async def test_a_repository_with_commits_is_deleted_only_by_force(rest: Rest, put: Put) -> None:
    put({"/a": b"1"})
    status, error = await rest("DELETE", "/repo", repo="images")
    assert (status, error["code"]) == (409, "conflict")
    assert await rest("DELETE", "/repo", repo="images", force="true") == (204, None)


async def test_a_taken_name_is_a_conflict_that_says_so(rest: Rest) -> None:
    await rest("POST", "/repos", {"name": "images"})
    status, error = await rest("POST", "/repos", {"name": "images"})
    assert (status, error["code"]) == (409, "already_exists")
    assert "images" in error["message"]


async def test_repositories_are_filtered_in_any_case_and_paged(rest: Rest, store: VersionStore) -> None:
    for number in range(7):
        store.create_repo(f"Cats-{number}")
        store.create_repo(f"dogs-{number}")
    seen: list[str] = []
    after = ""
    while True:
        _, page = await rest("GET", "/repos", filter="cATS", after=after, limit=3)
        seen += [repo["name"] for repo in page["items"]]
        if page["next"] is None:
            break
        assert len(page["items"]) == 3
        after = page["next"]
    assert seen == [f"Cats-{number}" for number in range(7)]


async def test_the_last_full_page_has_no_next(rest: Rest, store: VersionStore) -> None:
    for number in range(4):
        store.create_repo(f"r{number}")
    _, page = await rest("GET", "/repos", limit=4)
    assert (len(page["items"]), page["next"]) == (4, None)


async def test_branches_are_made_moved_listed_and_deleted(rest: Rest, put: Put) -> None:
    first, second = put({"/a": b"1"}), put({"/a": b"2"})
    status, branch = await rest("POST", "/branches", {"repo": "images", "name": "dev", "head": first})
    assert (status, branch["head"]) == (201, first)
    status, branch = await rest("POST", "/branches", {"repo": "images", "name": "dev", "head": "master"})
    assert (status, branch["head"]) == (201, second)
    _, listed = await rest("GET", "/branches", repo="images")
    assert [item["name"] for item in listed["items"]] == ["dev", "master"]
    assert await rest("DELETE", "/branch", repo="images", branch="dev") == (204, None)
    assert (await rest("DELETE", "/branch", repo="images", branch="dev"))[0] == 404


async def test_commits_are_paged_newest_first(rest: Rest, put: Put) -> None:
    ids = [put({"/a": b"%d" % number}) for number in range(5)]
    _, page = await rest("GET", "/commits", repo="images", branch="master", limit=2)
    assert [commit["id"] for commit in page["items"]] == ids[:2:-1]
    _, rest_of_it = await rest("GET", "/commits", repo="images", branch="master", after=page["next"])
    assert [commit["id"] for commit in rest_of_it["items"]] == ids[2::-1]
    assert rest_of_it["next"] is None


async def test_a_commit_is_found_by_branch_and_prefix(rest: Rest, put: Put) -> None:
    made = put({"/a": b"1"})
    _, by_branch = await rest("GET", "/commit", repo="images", ref="master")
    assert await rest("GET", "/commit", repo="images", ref=made[:12]) == (200, by_branch)
    assert (by_branch["id"], by_branch["state"], by_branch["files"]) == (made, "finished", 1)


async def test_a_directory_is_listed_in_pages_by_name(rest: Rest, put: Put) -> None:
    names = ["ä ö", "b?x=1&y", "c#d", "e%2Ff", "g+h"]
    put({f"/dir/{name}": b"x" for name in names})
    _, root = await rest("GET", "/files", repo="images", ref="master")
    assert [(file["path"], file["type"]) for file in root["items"]] == [("/dir", "dir")]
    seen: list[str] = []
    after = ""
    while True:
        _, page = await rest("GET", "/files", repo="images", ref="master", path="/dir", after=after, limit=2)
        seen += [file["path"].removeprefix("/dir/") for file in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert sorted(seen) == sorted(names)
    assert len(seen) == len(names)


async def test_a_repository_of_a_project_works_everywhere(rest: Rest, put: Put) -> None:
    put({"/a": b"1"}, repo="vision/images")
    for route in ("/repo", "/branches", "/commits"):
        assert (await rest("GET", route, repo="vision/images"))[0] == 200
    status, mount = await rest("POST", "/mounts", {"repo": "vision/images", "ref": "master"})
    assert (status, mount["name"]) == (201, "images")
    await rest("DELETE", "/mount", name="images")


async def test_a_mount_is_made_read_listed_and_taken_away(
    rest: Rest, put: Put, places: Path, manager: MountManager
) -> None:
    commit = put({"/cats/1.txt": b"miau"})
    status, mount = await rest("POST", "/mounts", {"repo": "images", "ref": "master", "name": "pets"})
    assert (status, mount["commit"], mount["branch"], mount["follow"]) == (201, commit, "master", False)
    assert (Path(mount["path"]) / "cats/1.txt").read_bytes() == b"miau"
    assert await rest("GET", "/mounts") == (200, {"items": [mount]})
    assert await rest("DELETE", "/mount", name="pets") == (200, {"name": "pets", "holders": []})
    assert (await rest("DELETE", "/mount", name="pets"))[0] == 404
    assert list((places / "mnt").iterdir()) == []


async def test_a_mount_is_moved_to_the_head_and_made_to_follow(
    rest: Rest, put: Put, manager: MountManager
) -> None:
    put({"/a": b"1"})
    await rest("POST", "/mounts", {"repo": "images", "ref": "master"})
    second = put({"/a": b"2"})
    _, listed = await rest("GET", "/mounts")
    assert listed["items"][0]["moved"] is True
    status, mount = await rest("PATCH", "/mount", {"ref": "master"}, name="images")
    assert (status, mount["commit"], mount["moved"]) == (200, second, False)
    assert (Path(mount["path"]) / "a").read_bytes() == b"2"
    _, mount = await rest("PATCH", "/mount", {"follow": True}, name="images")
    assert mount["follow"] is True
    _, mount = await rest("PATCH", "/mount", {"ref": None, "follow": None}, name="images")
    assert mount["follow"] is True


async def test_mounting_the_same_again_answers_with_the_mount(
    rest: Rest, put: Put, manager: MountManager
) -> None:
    put({"/a": b"1"})
    first = await rest("POST", "/mounts", {"repo": "images", "ref": "master"})
    assert await rest("POST", "/mounts", {"repo": "images", "ref": "master"}) == first


async def test_a_taken_mount_name_suggests_another_one(rest: Rest, put: Put, manager: MountManager) -> None:
    put({"/a": b"1"})
    put({"/a": b"1"}, repo="tables")
    await rest("POST", "/mounts", {"repo": "images", "ref": "master"})
    status, error = await rest("POST", "/mounts", {"repo": "tables", "ref": "master", "name": "images"})
    assert (status, error["code"]) == (409, "already_exists")
    assert "images-master" in error["fix"]


async def test_a_directory_in_the_way_is_left_alone(
    rest: Rest, put: Put, places: Path, manager: MountManager
) -> None:
    put({"/a": b"1"})
    (places / "mnt/images").mkdir(parents=True)
    (places / "mnt/images/mine").write_text("precious")
    status, error = await rest("POST", "/mounts", {"repo": "images", "ref": "master"})
    assert (status, error["code"]) == (409, "already_exists")
    assert (places / "mnt/images/mine").read_text() == "precious"
    assert manager.list() == []


async def test_what_does_not_exist_is_not_found(rest: Rest, put: Put) -> None:
    put({"/a": b"1"})
    for method, route, body, params in [
        ("GET", "/repo", None, {"repo": "nope"}),
        ("DELETE", "/repo", None, {"repo": "nope"}),
        ("GET", "/branches", None, {"repo": "nope"}),
        ("POST", "/branches", {"repo": "images", "name": "dev", "head": "nope"}, {}),
        ("GET", "/commits", None, {"repo": "images", "branch": "nope"}),
        ("GET", "/commit", None, {"repo": "images", "ref": "nope"}),
        ("GET", "/commit", None, {"repo": "images", "ref": "master^"}),
        ("GET", "/files", None, {"repo": "images", "ref": "master", "path": "/nope"}),
        ("POST", "/mounts", {"repo": "images", "ref": "nope"}, {}),
        ("PATCH", "/mount", {"follow": True}, {"name": "nope"}),
        ("GET", "/no/such/route", None, {}),
    ]:
        status, error = await rest(method, route, body, **params)
        assert (status, error["code"]) == (404, "not_found"), (method, route, error)


async def test_an_unfinished_commit_is_not_mounted(rest: Rest, store: VersionStore) -> None:
    store.create_repo("images")
    started = store.start_commit("images", "master")
    status, _ = await rest("POST", "/mounts", {"repo": "images", "ref": started.id})
    assert 400 <= status < 500
    assert await rest("GET", "/mounts") == (200, {"items": []})


async def test_numbers_that_jupyterlab_puts_behind_a_query_are_passed_over(rest: Rest) -> None:
    assert (await rest("GET", "/repos", limit=5, **{"1795488000000": ""}))[0] == 200


async def test_health_tells_what_works(rest: Rest, store: VersionStore, places: Path) -> None:
    status, health = await rest("GET", "/health")
    assert status == 200
    assert health["store_url"] == (places / "store").as_uri()
    assert health["mount_root"] == str(places / "mnt")
    checks = {check["id"]: check for check in health["checks"]}
    assert checks["store"]["status"] == "ok"
    assert checks["mount"]["status"] == "limited", json.dumps(checks["mount"])
    assert checks["mount"]["fix"]


async def test_asking_for_health_makes_no_store(rest: Rest, places: Path) -> None:
    await rest("GET", "/health")
    assert not (places / "store").exists()


async def test_answers_are_not_cached(jp_fetch: Any, places: Path) -> None:
    answer = await jp_fetch("dvmount", "api", "repos")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
