"""Secrets through REST: their values come in and never go out again, wherever they are used."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from jupyter_dvmount.pipelines.jobs import FINAL
from tests.integration.server.conftest import Put, Rest
from tests.integration.server.pipelines import create, job_when

pytestmark = pytest.mark.usefixtures("controlled")

VALUE = "hunter2-hunter2-hunter2"


async def test_a_secret_is_made_listed_inspected_and_deleted(rest: Rest) -> None:
    status, made = await rest("POST", "/secrets", {"name": "wandb", "values": {"KEY": VALUE, "OTHER": "x"}})
    assert (status, made["name"], made["keys"]) == (201, "wandb", ["KEY", "OTHER"])
    assert await rest("GET", "/secret", name="wandb") == (200, made)
    assert await rest("GET", "/secrets") == (200, {"items": [made]})
    status, error = await rest("POST", "/secrets", {"name": "wandb", "values": {"KEY": VALUE}})
    assert (status, error["code"]) == (409, "already_exists")
    assert await rest("DELETE", "/secret", name="wandb") == (204, None)
    for method in ("GET", "DELETE"):
        assert (await rest(method, "/secret", name="wandb"))[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        {"name": "wandb", "values": {}},
        {"name": "../x", "values": {"KEY": VALUE}},
        {"name": "wandb", "values": {"a b": VALUE}},
        {"name": "wandb", "values": {"KEY": [VALUE]}},
        {"name": "wandb", "values": VALUE},
        {"name": "wandb", "values": {"KEY": VALUE}, "type": VALUE},
        json.dumps({"name": "wandb", "values": {"KEY": VALUE}})[:-1].encode(),
    ],
)
async def test_a_wrong_secret_is_refused_and_not_repeated(
    rest: Rest, body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    status, error = await rest("POST", "/secrets", body)
    assert (status, error["code"]) == (400, "invalid")
    assert VALUE not in json.dumps(error)
    assert VALUE not in caplog.text
    assert await rest("GET", "/secrets") == (200, {"items": []})


async def test_a_value_is_in_no_answer_event_log_or_file(
    rest: Rest, feed: Any, put: Put, places: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    put({"/a": b"1"})
    events = await feed()
    answers: list[Any] = [await rest("POST", "/secrets", {"name": "wandb", "values": {"KEY": VALUE}})]
    transform = {
        "cmd": ["sh", "-c", "echo it is $THE_KEY; echo $THE_KEY >&2; exit 3"],
        "secrets": [{"name": "wandb", "key": "KEY", "env_var": "THE_KEY"}],
    }
    answers.append(await create(rest, "teller", "", transform=transform, datum_tries=1))
    told = []
    while not told or told[-1].get("state") not in FINAL:
        told.append(await events.wait_for())
    job = await job_when(rest, "teller", FINAL)
    key = {"pipeline": "teller", "id": job["id"]}
    for route, params in [
        ("/secrets", {}),
        ("/pipelines", {}),
        ("/pipeline", {"name": "teller"}),
        ("/jobs", {}),
        ("/job", key),
        ("/datums", key),
        ("/log", key),
        ("/health", {}),
    ]:
        answers.append(await rest("GET", route, **params))
        assert answers[-1][0] == 200
    assert "it is " in json.dumps(answers), "the log is there"
    assert VALUE not in json.dumps(answers)
    assert VALUE not in json.dumps(told)
    assert VALUE not in caplog.text
    assert _with_the_value(places) == []


def _with_the_value(places: Path) -> list[Path]:
    files = [path for path in places.rglob("*") if path.is_file() and "secrets" not in path.parts]
    return [path for path in files if VALUE.encode() in path.read_bytes()]
