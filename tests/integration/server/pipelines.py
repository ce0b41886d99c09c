"""Pipelines as the tests of REST make and await them."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from tests.integration.server.conftest import Rest


def spec_of(name: str, script: str, repo: str = "images", glob: str = "/*", **fields: Any) -> str:
    """A spec as JSON."""
    pfs = {"repo": repo, "glob": glob}
    transform = {"cmd": ["sh"], "stdin": [script]}
    return json.dumps({"pipeline": {"name": name}, "input": {"pfs": pfs}, "transform": transform, **fields})


async def create(rest: Rest, *args: Any, **fields: Any) -> dict[str, Any]:
    """Make a pipeline; as `spec_of`."""
    status, made = await rest("POST", "/pipelines", {"spec": spec_of(*args, **fields)})
    assert status == 201, made
    return made["items"][0]


async def job_when(
    rest: Rest, pipeline: str, states: Any, id: str = "", seconds: float = 40
) -> dict[str, Any]:
    """The newest job of a pipeline, or one by its id, as soon as it is in one of some states."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        _, page = await rest("GET", "/jobs", pipeline=pipeline, id=id, limit=1)
        if page["items"] and page["items"][0]["state"] in states:
            return page["items"][0]
        await asyncio.sleep(0.05)
    raise AssertionError(page)
