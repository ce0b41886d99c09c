"""Browsers are told of pipelines and jobs, whoever makes and runs them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jupyter_dvmount.config import load_config
from jupyter_dvmount.pipelines.controller.lease import is_held
from jupyter_dvmount.pipelines.controller.process import stop_controller
from jupyter_dvmount.pipelines.jobs import FINAL
from jupyter_dvmount.pipelines.jobs.database import open_database
from jupyter_dvmount.pipelines.service import Pipelines
from jupyter_dvmount.pipelines.spec import parse
from jupyter_dvmount.server.events import JOB_SCHEMA, PIPELINE_SCHEMA
from jupyter_dvmount.store import VersionStore
from tests.integration.server.conftest import Feed, Put, Rest, until
from tests.integration.server.pipelines import create, job_when, spec_of

pytestmark = pytest.mark.usefixtures("controlled")

DVMOUNT = (sys.executable, "-m", "jupyter_dvmount.cli")


async def to_the_end(events: Feed, pipeline: str) -> list[dict[str, Any]]:
    """What is told of a pipeline's job, up to its end."""
    told = []
    while not told or told[-1]["state"] not in FINAL:
        told.append(await events.wait_for(schema_id=JOB_SCHEMA, pipeline=pipeline))
    return told


async def test_a_job_is_told_from_its_making_to_its_end_with_its_progress(
    rest: Rest, feed: Any, put: Put
) -> None:
    put({f"/{number}": b"x" for number in range(4)})
    events = await feed()
    await create(rest, "slow", "sleep 0.4", parallelism_spec={"constant": 1})
    event = await events.wait_for(schema_id=PIPELINE_SCHEMA)
    assert (event["action"], event["pipeline"]) == ("created", "slow")
    told = await to_the_end(events, "slow")
    assert len({each["id"] for each in told}) == 1
    states = [each["state"] for each in told]
    assert (states[0] in {"created", "starting"}, states[-1]) == (True, "success")
    assert "running" in states
    done = [each["datums"]["success"] for each in told]
    assert (done == sorted(done), len(set(done)) >= 4, done[-1]) == (True, True, 4)


async def test_what_another_process_does_is_told(rest: Rest, feed: Any, put: Put) -> None:
    put({"/a": b"1"})
    events = await feed()
    await create(rest, "copy", "true")
    await to_the_end(events, "copy")

    async def dvmount(*arguments: str) -> None:
        done = await asyncio.create_subprocess_exec(*DVMOUNT, *arguments)
        assert await done.wait() == 0

    await dvmount("stop", "pipeline", "copy")
    await events.wait_for(schema_id=PIPELINE_SCHEMA, action="updated", pipeline="copy")
    await dvmount("start", "pipeline", "copy")
    put({"/b": b"2"})
    assert (await to_the_end(events, "copy"))[-1]["datums"]["total"] == 2
    await dvmount("delete", "pipeline", "copy")
    await events.wait_for(schema_id=PIPELINE_SCHEMA, action="deleted", pipeline="copy")


async def test_a_failure_is_told_with_its_reason(rest: Rest, feed: Any, put: Put) -> None:
    put({"/a": b"1"})
    events = await feed()
    await create(rest, "wrong", "exit 3", datum_tries=1)
    ended = (await to_the_end(events, "wrong"))[-1]
    assert (ended["state"], "exit code 3" in ended["reason"]) == ("failure", True), ended


async def test_a_browser_that_comes_late_is_told_how_the_jobs_are(rest: Rest, feed: Any, put: Put) -> None:
    put({"/a": b"1"})
    await create(rest, "copy", "true")
    await job_when(rest, "copy", FINAL)
    events = await feed()
    assert (await events.wait_for(schema_id=JOB_SCHEMA))["state"] == "success"


async def test_nobody_looks_at_jobs_while_nobody_listens(
    rest: Rest, feed: Any, put: Put, backend: Any
) -> None:
    lookout = backend._watchers[1]._lookout
    put({"/a": b"1"})
    await create(rest, "copy", "true")
    await job_when(rest, "copy", FINAL)
    assert lookout._changes is None
    browser = await feed()
    await until(lambda: lookout._changes is not None)
    browser.close()
    await until(lambda: lookout._changes is None)


@pytest.fixture
def left_alone(store: VersionStore, put: Put) -> Iterator[Callable[[], bool]]:
    """A pipeline whose controller has ended, as after a restart of the machine; whether one runs again."""
    put({"/a": b"1"})
    with open_database(load_config(), store) as database:
        pipelines = Pipelines(load_config(), store, database)
        pipelines.create([each.spec for each in parse(spec_of("copy", "true"))])
        pipelines.wait_job("copy", next(pipelines.jobs("copy")).id, timeout=60)
        stop_controller(database)
        yield lambda: is_held(database)


async def test_the_start_of_the_server_has_pipelines_run(
    left_alone: Callable[[], bool], rest: Rest, put: Put
) -> None:
    await until(left_alone)
    commit = put({"/b": b"2"})
    assert (await job_when(rest, "copy", FINAL, commit))["state"] == "success"


async def test_health_tells_whether_pipelines_run(rest: Rest, put: Put, store: VersionStore) -> None:
    async def check() -> dict[str, Any]:
        _, health = await rest("GET", "/health")
        return next(each for each in health["checks"] if each["id"] == "controller")

    assert await check() == {
        "id": "controller",
        "label": "Pipelines",
        "status": "ok",
        "detail": "there are no pipelines",
        "fix": "",
    }
    put({"/a": b"1"})
    await create(rest, "copy", "true")
    await job_when(rest, "copy", FINAL)
    found = await check()
    assert (found["status"], "runs 1 of them (local)" in found["detail"]) == ("ok", True), found
    with open_database(load_config(), store) as database:
        stop_controller(database)
    found = await check()
    assert (found["status"], "dvmount start pipeline" in found["fix"]) == ("limited", True)
    await rest("PATCH", "/pipeline", {"paused": False}, name="copy")
    assert (await check())["status"] == "ok"


async def test_the_start_of_the_server_makes_no_database_of_jobs(rest: Rest, put: Put, feed: Any) -> None:
    put({"/a": b"1"})
    events = await feed()
    await rest("POST", "/repos", {"name": "other"})
    await events.wait_for(kind="repo", repo="other")
    assert not (load_config().state / "pipelines").exists()
