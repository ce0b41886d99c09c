"""The server stays responsive: nothing that waits for the store or copies files stops anything else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.store import Repo, VersionStore
from tests.integration.server.conftest import Put, Rest, until


class Gate:
    """Holds threads until it is opened, and knows how many wait."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.waiting = 0

    def pass_through(self) -> None:
        self.waiting += 1
        assert self._open.wait(60)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open()


@pytest.fixture
def slow_inspect(gate: Gate, store: VersionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inspecting a repository waits at the gate."""
    kind = type(store)
    inspect = kind.inspect_repo

    def slow(self: Any, repo: str) -> Repo:
        gate.pass_through()
        return inspect(self, repo)

    monkeypatch.setattr(kind, "inspect_repo", slow)


@pytest.fixture
def slow_copy(gate: Gate, store: VersionStore, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copying files out waits at the gate."""
    put({"/a": b"1", "/b": b"2"})
    kind = type(store.read("images", "master"))
    readinto = kind.readinto

    def slow(self: Any, *arguments: Any) -> int:
        gate.pass_through()
        return readinto(self, *arguments)

    monkeypatch.setattr(kind, "readinto", slow)


async def test_a_store_that_does_not_answer_stops_nobody_else(
    rest: Rest, put: Put, gate: Gate, slow_inspect: None
) -> None:
    put({"/a": b"1"})
    slow = asyncio.create_task(rest("GET", "/repo", repo="images"))
    await until(lambda: gate.waiting)
    assert (await rest("GET", "/branches", repo="images"))[0] == 200
    assert (await rest("GET", "/health"))[0] == 200
    assert not slow.done()
    gate.open()
    assert (await slow)[0] == 200


@pytest.mark.parametrize("traits", [{"max_workers": 2, "request_timeout": 0.5}])
async def test_calls_that_hang_are_answered_and_health_still_works(
    rest: Rest, put: Put, gate: Gate, slow_inspect: None
) -> None:
    put({"/a": b"1"})
    answers = await asyncio.gather(*(rest("GET", "/repo", repo="images") for _ in range(5)))
    assert {(status, error["code"]) for status, error in answers} == {(503, "unavailable")}
    assert gate.waiting == 2, "more threads than allowed"
    assert (await rest("GET", "/health"))[0] == 200


@pytest.mark.parametrize("traits", [{"max_copies": 1}])
async def test_copying_does_not_starve_quick_calls(
    rest: Rest, gate: Gate, slow_copy: None, manager: MountManager
) -> None:
    asked = [{"repo": "images", "ref": "master", "name": f"m{number}"} for number in range(6)]
    copying = [asyncio.create_task(rest("POST", "/mounts", body)) for body in asked]
    await until(lambda: gate.waiting)
    for _ in range(20):
        assert (await rest("GET", "/repos"))[0] == 200
        assert (await rest("GET", "/mounts")) == (200, {"items": []})
    gate.open()
    assert {status for status, _ in await asyncio.gather(*copying)} == {201}


async def test_requests_for_health_at_the_same_time_share_one_examination(
    rest: Rest, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    examined = []
    from jupyter_dvmount.server import backend as module

    real = module.examine
    monkeypatch.setattr(module, "examine", lambda services: examined.append(1) or real(services))
    answers = await asyncio.gather(*(rest("GET", "/health") for _ in range(10)))
    assert {status for status, _ in answers} == {200}
    assert len(examined) < 10
