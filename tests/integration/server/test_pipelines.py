"""Pipelines and jobs through REST, with a real controller; answers are compared with openapi.yaml."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from jupyter_dvmount.pipelines.jobs import FINAL
from jupyter_dvmount.store import VersionStore
from tests.integration.server.conftest import Put, Rest
from tests.integration.server.pipelines import create, job_when, spec_of

pytestmark = pytest.mark.usefixtures("controlled")


def printed(*arguments: str) -> Any:
    """What ``dvmount … -o json`` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_dvmount.cli", *arguments, "-o", "json"],
        capture_output=True,
        check=True,
    )
    return msgspec.json.decode(done.stdout)


async def test_a_pipeline_runs_on_what_is_there_and_on_each_commit(
    rest: Rest, put: Put, store: VersionStore
) -> None:
    first = put({"/a": b"1"})
    made = await create(rest, "copy", "cp /pfs/images/* /pfs/out/", description="copies")
    assert (made["name"], made["input"], made["output"]) == ("copy", ["images@master"], "copy@master")
    job = await job_when(rest, "copy", FINAL)
    assert (job["state"], job["id"]) == ("success", first), job
    second = put({"/b": b"2"})
    job = await job_when(rest, "copy", FINAL, second)
    assert job["datums"] == {"total": 2, "success": 1, "skipped": 1, "failed": 0, "recovered": 0}
    assert job["output_commit"] == {"repo": "copy", "id": second}
    assert store.read("copy", "master").open("/b").read() == b"2"
    _, found = await rest("GET", "/pipeline", name="copy")
    assert (found["last_job"], found["last_job_state"]) == (second, "success")
    assert found["spec"]["pipeline"]["name"] == "copy"


async def test_records_are_those_of_the_command_line(rest: Rest, put: Put) -> None:
    put({"/a": b"1"})
    await create(rest, "copy", "cp /pfs/images/* /pfs/out/")
    job = await job_when(rest, "copy", FINAL)
    assert (await rest("GET", "/pipelines"))[1]["items"] == printed("list", "pipeline")
    assert (await rest("GET", "/pipeline", name="copy"))[1] == printed("inspect", "pipeline", "copy")
    assert (await rest("GET", "/jobs"))[1]["items"] == printed("list", "job")
    name = f"copy@{job['id']}"
    assert (await rest("GET", "/job", pipeline="copy", id=job["id"]))[1] == printed("inspect", "job", name)
    _, datums = await rest("GET", "/datums", pipeline="copy", id=job["id"])
    assert datums["items"] == printed("list", "datum", name)


async def test_several_pipelines_of_one_text_are_made_together_or_not_at_all(rest: Rest, put: Put) -> None:
    put({"/a": b"1"})
    text = f"""
# YAML
{spec_of("first", "cp /pfs/images/* /pfs/out/")}
---
{spec_of("second", "cp /pfs/first/* /pfs/out/", repo="first")}
"""
    status, made = await rest("POST", "/pipelines", {"spec": text})
    assert (status, [each["name"] for each in made["items"]]) == (201, ["first", "second"])
    job = await job_when(rest, "second", FINAL)
    _, page = await rest("GET", "/jobs", id=job["id"][:8])
    assert {each["pipeline"] for each in page["items"]} == {"first", "second"}
    text = spec_of("third", "true") + spec_of("first", "true")
    status, error = await rest("POST", "/pipelines", {"spec": text})
    assert (status, error["code"]) == (409, "already_exists")
    assert (await rest("GET", "/pipeline", name="third"))[0] == 404


async def test_a_text_is_checked_without_changing_anything(rest: Rest, put: Put) -> None:
    put({"/a": b"1"})
    text = spec_of("copy", "true", autoscaling=True, pod_spec="{}")
    status, found = await rest("POST", "/pipelines/check", {"spec": text})
    assert status == 200
    assert found["items"][0]["name"] == "copy"
    assert any("pod_spec" in warning for warning in found["items"][0]["warnings"])
    for text, what in [
        ('{"pipeline": {"name": "copy"},\n "transfrom": {}}', "transfrom"),
        ("pipeline: {name: copy}\ninput: [", "line 2"),
        ('{"pipeline": {"name": "copy"}\n // nothing else\n "input": 1}', "line 3"),
        (spec_of("copy", "true", repo="nowhere"), "nowhere"),
        (spec_of("copy", "true", glob="/["), "input.pfs.glob"),
        ("", ""),
    ]:
        status, error = await rest("POST", "/pipelines/check", {"spec": text})
        assert status in {400, 404}, error
        assert what in error["message"]
        assert error["fix"]
    assert await rest("GET", "/pipelines") == (200, {"items": []})


async def test_a_circle_is_found_by_the_check(rest: Rest, put: Put) -> None:
    text = spec_of("one", "true", repo="two") + spec_of("two", "true", repo="one")
    status, error = await rest("POST", "/pipelines/check", {"spec": text})
    assert (status, error["code"]) == (400, "invalid")


async def test_a_changed_spec_runs_what_it_changes_and_reprocessing_everything(rest: Rest, put: Put) -> None:
    put({"/a": b"1"})
    await create(rest, "copy", "cp /pfs/images/* /pfs/out/")
    await job_when(rest, "copy", FINAL)
    text = spec_of("copy", "cp /pfs/images/* /pfs/out/")
    status, changed = await rest("PUT", "/pipelines", {"spec": text})
    assert (status, changed["items"][0]["version"]) == (200, 1)
    status, changed = await rest("PUT", "/pipelines", {"spec": text, "reprocess": True})
    assert (status, changed["items"][0]["version"]) == (200, 2)
    assert len((await rest("GET", "/jobs", pipeline="copy"))[1]["items"]) == 2
    job = await job_when(rest, "copy", FINAL)
    assert job["datums"]["success"] == 1


async def test_a_paused_pipeline_waits_and_is_run_by_hand_later(rest: Rest, put: Put) -> None:
    put({"/a": b"1"})
    await create(rest, "copy", "cp /pfs/images/* /pfs/out/")
    await job_when(rest, "copy", FINAL)
    status, paused = await rest("PATCH", "/pipeline", {"paused": True}, name="copy")
    assert (status, paused["state"]) == (200, "paused")
    status, job = await rest("POST", "/pipeline/run", name="copy")
    assert (status, job["state"]) == (201, "created")
    _, resumed = await rest("PATCH", "/pipeline", {"paused": False}, name="copy")
    assert resumed["state"] == "running"
    assert (await job_when(rest, "copy", FINAL, job["id"]))["state"] == "success"


async def test_a_running_job_is_stopped(rest: Rest, put: Put) -> None:
    put({"/a": b"1"})
    await create(rest, "slow", "sleep 600")
    job = await job_when(rest, "slow", {"running"})
    status, _ = await rest("POST", "/job/stop", pipeline="slow", id=job["id"])
    assert status == 200
    ended = await job_when(rest, "slow", FINAL)
    assert ended["state"] == "killed"
    status, error = await rest("POST", "/job/stop", pipeline="slow", id=job["id"])
    assert (status, error["code"]) == (409, "conflict")


async def test_only_what_failed_is_run_again(rest: Rest, put: Put) -> None:
    put({"/a": b"1", "/b": b"2"})
    await create(rest, "half", "test -f /pfs/images/a", datum_tries=1)
    job = await job_when(rest, "half", FINAL)
    assert (job["state"], job["datums"]["failed"]) == ("failure", 1)
    _, failed = await rest("GET", "/datums", pipeline="half", id=job["id"], state="failed")
    assert [each["inputs"][0]["path"] for each in failed["items"]] == ["/b"]
    assert failed["items"][0]["exit_code"] == 1
    _, datum = await rest(
        "GET", "/datum", pipeline="half", id=job["id"][:8], datum=failed["items"][0]["id"][:8]
    )
    assert datum == failed["items"][0]
    status, again = await rest("POST", "/job/rerun", {"failed": True}, pipeline="half", id=job["id"])
    assert (status, again["id"] != job["id"]) == (201, True)
    ended = await job_when(rest, "half", FINAL, again["id"])
    assert ended["datums"] == {"total": 2, "success": 0, "skipped": 1, "failed": 1, "recovered": 0}


async def test_jobs_and_datums_are_paged(rest: Rest, put: Put) -> None:
    put({f"/{number:02}": b"x" for number in range(7)})
    await create(rest, "many", "true")
    job = await job_when(rest, "many", FINAL)
    paths: list[str] = []
    after: dict[str, str] = {}
    while True:
        _, page = await rest("GET", "/datums", pipeline="many", id=job["id"], limit=3, **after)
        paths += [each["inputs"][0]["path"] for each in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert paths == [f"/{number:02}" for number in range(7)]
    ids = [job["id"]]
    for _ in range(4):
        ids.insert(0, (await rest("POST", "/pipeline/run", name="many"))[1]["id"])
    _, first = await rest("GET", "/jobs", pipeline="many", limit=2)
    _, rest_of_it = await rest("GET", "/jobs", pipeline="many", after=first["next"])
    assert [each["id"] for each in first["items"] + rest_of_it["items"]] == ids
    assert rest_of_it["next"] is None


async def test_a_pipeline_is_deleted_unless_others_read_its_output(
    rest: Rest, put: Put, store: VersionStore
) -> None:
    put({"/a": b"1"})
    await create(rest, "first", "cp /pfs/images/* /pfs/out/")
    await create(rest, "second", "true", repo="first")
    status, error = await rest("DELETE", "/pipeline", name="first")
    assert (status, error["code"]) == (409, "conflict")
    assert "second" in error["message"]
    assert await rest("DELETE", "/pipeline", name="second") == (204, None)
    assert await rest("DELETE", "/pipeline", name="first", keep_output="true") == (204, None)
    assert await rest("GET", "/pipelines") == (200, {"items": []})
    assert {repo.name for repo in store.list_repos(type="user")} == {"images", "first"}


async def test_what_is_not_there_is_not_found(rest: Rest) -> None:
    for method, route, body, params in [
        ("GET", "/pipeline", None, {"name": "nope"}),
        ("PATCH", "/pipeline", {"paused": True}, {"name": "nope"}),
        ("DELETE", "/pipeline", None, {"name": "nope"}),
        ("POST", "/pipeline/run", None, {"name": "nope"}),
        ("GET", "/jobs", None, {"pipeline": "nope"}),
        ("GET", "/job", None, {"pipeline": "nope", "id": "0123"}),
        ("GET", "/datums", None, {"pipeline": "nope", "id": "0123"}),
        ("POST", "/job/stop", None, {"pipeline": "nope", "id": "0123"}),
        ("POST", "/job/rerun", {}, {"pipeline": "nope", "id": "0123"}),
    ]:
        status, error = await rest(method, route, body, **params)
        assert (status, error["code"]) == (404, "not_found"), (method, route, error)
        assert error["fix"]


async def test_each_datum_is_explained_before_it_runs(rest: Rest, put: Put) -> None:
    put({f"/{number}": b"x" for number in range(5)})
    text = spec_of("copy", "true")
    status, found = await rest("POST", "/pipelines/explain", {"spec": text, "limit": 3})
    assert status == 200
    assert found["sums"] == [{"pipeline": "copy", "run": 5, "skip": 0, "gone": 0, "reason": ""}]
    assert {each["action"] for each in found["items"]} == {"run"}
    _, others = await rest("POST", "/pipelines/explain", {"spec": text, "after": found["next"]})
    assert others["next"] is None
    inputs = [each["inputs"] for each in found["items"] + others["items"]]
    assert inputs == [[f"images:/{number}"] for number in range(5)]
    await create(rest, "copy", "true")
    await job_when(rest, "copy", FINAL)
    put({"/1": b"other"})
    _, found = await rest("POST", "/pipelines/explain", {"spec": text})
    assert [each["inputs"] for each in found["items"] if each["action"] == "run"] == [["images:/1"]]
    assert (found["sums"][0]["run"], found["sums"][0]["skip"]) == (1, 4)
    _, found = await rest("POST", "/pipelines/explain", {"spec": spec_of("none", "true", glob="/x*")})
    assert "no file" in found["sums"][0]["reason"]
