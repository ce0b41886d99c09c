"""The logs of jobs through REST: read on from a place, followed as they grow, filtered."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Any

import pytest

from jupyter_dvmount.pipelines.jobs import FINAL
from tests.integration.server.conftest import Put, Rest
from tests.integration.server.pipelines import create, job_when

pytestmark = pytest.mark.usefixtures("controlled")


async def read_all(rest: Rest, pipeline: str, id: str, **filters: Any) -> list[dict[str, Any]]:
    """Every line, part by part, waiting for those to come."""
    items: list[dict[str, Any]] = []
    after = ""
    while True:
        status, part = await rest("GET", "/log", pipeline=pipeline, id=id, after=after, wait=20, **filters)
        assert status == 200, part
        items += part["items"]
        if part["ended"]:
            return items
        after = part["next"]


def code_lines(items: list[dict[str, Any]]) -> list[str]:
    return [each["text"] for each in items if not each["engine"]]


async def test_a_line_is_there_within_half_a_second(rest: Rest, put: Put) -> None:
    put({"/a": b"1"})
    await create(rest, "slow", "for n in 1 2 3 4; do echo line $n; sleep 0.7; done")
    job = await job_when(rest, "slow", {"running", "success"})
    delays, after, texts = [], "", []
    while True:
        _, part = await rest("GET", "/log", pipeline="slow", id=job["id"], after=after, wait=20)
        now = time.time()
        delays += [now - datetime.fromisoformat(each["time"]).timestamp() for each in part["items"]]
        texts += code_lines(part["items"])
        if part["ended"]:
            break
        after = part["next"]
    assert texts == [f"line {number}" for number in (1, 2, 3, 4)]
    assert max(delays[1:]) < 0.5, delays  # the first one was there before anybody looked


async def test_a_log_is_waited_for_no_longer_than_asked(rest: Rest, put: Put) -> None:
    put({"/a": b"1"})
    await create(rest, "slow", "sleep 600")
    job = await job_when(rest, "slow", {"running"})
    _, part = await rest("GET", "/log", pipeline="slow", id=job["id"], wait=20)
    assert [each["engine"] for each in part["items"]] == [True], "what the sandbox cannot do is said first"
    begun = time.monotonic()
    _, part = await rest("GET", "/log", pipeline="slow", id=job["id"], after=part["next"], wait=1)
    assert 0.9 < time.monotonic() - begun < 5
    assert (part["items"], part["ended"]) == ([], False)
    waiting = asyncio.create_task(
        rest("GET", "/log", pipeline="slow", id=job["id"], after=part["next"], wait=30)
    )
    await rest("POST", "/job/stop", pipeline="slow", id=job["id"])
    await asyncio.wait_for(waiting, 10)


async def test_logs_of_one_datum_and_of_what_failed(rest: Rest, put: Put) -> None:
    put({"/a": b"1", "/b": b"2"})
    await create(rest, "half", "echo $(basename $images); test -f /pfs/images/a || exit 3", datum_tries=2)
    job = await job_when(rest, "half", FINAL)
    key = {"pipeline": "half", "id": job["id"][:8]}
    assert sorted(code_lines(await read_all(rest, **key))) == ["a", "b", "b"]
    failed = await read_all(rest, **key, failed=True)
    assert code_lines(failed) == ["b", "b"]
    ends = [each for each in failed if each["text"].startswith("failed: ")]
    assert [each["attempt"] for each in ends] == [1, 2]
    assert all(each["engine"] and "3" in each["text"] for each in ends)
    _, datums = await rest("GET", "/datums", pipeline="half", id=job["id"], state="success")
    good = datums["items"][0]["id"]
    assert code_lines(await read_all(rest, **key, datum=good[:10])) == ["a"]
    status, error = await rest("GET", "/log", **key, datum="nope")
    assert (status, error["code"]) == (404, "not_found")


async def test_a_long_log_comes_in_parts(rest: Rest, put: Put) -> None:
    put({"/a": b"1", "/b": b"2", "/c": b"3"})
    await create(rest, "loud", "seq -f 'a rather long line with the number %g' 1 20000")
    job = await job_when(rest, "loud", FINAL, seconds=60)
    items = await read_all(rest, "loud", job["id"])
    for datum in {each["datum"] for each in items}:
        texts = [each["text"] for each in items if each["datum"] == datum and not each["engine"]]
        assert [text.rpartition(" ")[2] for text in texts] == [str(number) for number in range(1, 20001)]
    _, part = await rest("GET", "/log", pipeline="loud", id=job["id"])
    assert (part["more"], part["ended"]) == (True, False)


async def test_a_place_that_is_none_and_a_wait_that_is_too_long_are_invalid(rest: Rest, put: Put) -> None:
    put({"/a": b"1"})
    await create(rest, "copy", "true")
    job = await job_when(rest, "copy", FINAL)
    for odd in ({"after": "elsewhere"}, {"wait": 31}, {"wait": -1}, {"after": "3"}):
        status, error = await rest("GET", "/log", pipeline="copy", id=job["id"], **odd)
        assert (status, error["code"]) == (400, "invalid"), odd
