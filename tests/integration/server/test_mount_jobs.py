"""Mounting where files are copied: it tells how far, can be cancelled, and is whole or not there."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.mounting.support import MODE_VARIABLE
from jupyter_dvmount.server.handlers import PREFIX
from tests.fuse import need_fuse
from tests.integration.server.conftest import Put, Rest, until
from tests.integration.server.test_responsiveness import Gate, gate, slow_copy  # noqa: F401

ASKED = {"repo": "images", "ref": "master"}


def leftovers(places: Path) -> list[Path]:
    """Whatever a copy has left below the state directory and the mount root."""
    state = places / "state"
    found = [*(places / "mnt").glob("*"), *(state / "tmp").glob("*"), *(state / "mounts").glob("*")]
    return found + list((state / "checkouts").glob("*/*"))


async def test_copying_tells_how_far_it_is_and_then_that_it_is_mounted(
    rest: Rest,
    feed: Any,
    gate: Gate,  # noqa: F811
    slow_copy: None,  # noqa: F811
    manager: MountManager,
) -> None:
    events = await feed()
    mounting = asyncio.create_task(rest("POST", "/mounts", ASKED))
    event = await events.wait_for(action="progress")
    assert (event["name"], event["repo"], event["ref"]) == ("images", "images", "master")
    assert (event["files_total"], event["bytes_total"]) == (2, 2)
    gate.open()
    assert (await mounting)[0] == 201
    mounted = await events.wait_for(action="mounted")
    assert mounted["commit"] == manager.list()[0].commit


async def test_a_cancelled_mount_leaves_nothing_behind(
    rest: Rest,
    feed: Any,
    backend: Any,
    places: Path,
    gate: Gate,  # noqa: F811
    slow_copy: None,  # noqa: F811
    manager: MountManager,
) -> None:
    events = await feed()
    mounting = asyncio.create_task(rest("POST", "/mounts", ASKED))
    await until(lambda: gate.waiting)
    cancelling = asyncio.create_task(rest("DELETE", "/mount", name="images"))
    await until(backend.mounting._jobs["images"].stopped.is_set)
    gate.open()
    assert await cancelling == (200, {"name": "images", "holders": []})
    status, error = await mounting
    assert (status, error["code"]) == (409, "conflict")
    await events.wait_for(action="failed", name="images")
    assert leftovers(places) == []


@pytest.mark.parametrize("traits", [{"max_copies": 1}])
async def test_a_mount_that_waits_for_its_turn_is_cancelled_at_once(
    rest: Rest,
    gate: Gate,  # noqa: F811
    slow_copy: None,  # noqa: F811
    manager: MountManager,
) -> None:
    first = asyncio.create_task(rest("POST", "/mounts", ASKED))
    await until(lambda: gate.waiting)
    second = asyncio.create_task(rest("POST", "/mounts", {**ASKED, "name": "other"}))
    backlog = asyncio.create_task(rest("DELETE", "/mount", name="nobody"))
    assert (await backlog)[0] == 404
    assert (await rest("DELETE", "/mount", name="other"))[0] == 200
    assert (await second)[0] == 409
    gate.open()
    assert (await first)[0] == 201


async def test_the_same_mount_asked_for_twice_is_made_once_and_another_one_refused(
    rest: Rest,
    put: Put,
    gate: Gate,  # noqa: F811
    slow_copy: None,  # noqa: F811
    manager: MountManager,
) -> None:
    first = asyncio.create_task(rest("POST", "/mounts", ASKED))
    await until(lambda: gate.waiting)
    second = asyncio.create_task(rest("POST", "/mounts", ASKED))
    status, error = await rest("POST", "/mounts", {**ASKED, "follow": True})
    assert (status, error["code"]) == (409, "conflict")
    gate.open()
    assert await first == await second
    assert (await first)[0] == 201


async def test_a_client_that_goes_away_gets_its_mount_all_the_same(
    rest: Rest,
    places: Path,
    gate: Gate,  # noqa: F811
    slow_copy: None,  # noqa: F811
    manager: MountManager,
    jp_http_port: int,
    jp_auth_header: dict[str, str],
    jp_base_url: str,
) -> None:
    body = json.dumps(ASKED)
    with socket.create_connection(("127.0.0.1", jp_http_port)) as client:
        client.sendall(
            f"POST {jp_base_url.rstrip('/')}{PREFIX}/mounts HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: {jp_auth_header['Authorization']}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        await until(lambda: gate.waiting)
    assert manager.list() == []
    gate.open()
    await until(manager.list)
    assert sorted(path.name for path in (places / "mnt/images").iterdir()) == ["a", "b"]


async def test_a_copy_that_fails_says_why_and_leaves_nothing(
    rest: Rest, feed: Any, put: Put, places: Path, manager: MountManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    put({"/a": b"1"})
    events = await feed()
    usage = shutil.disk_usage(places)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1 << 20))
    status, error = await rest("POST", "/mounts", ASKED)
    assert (status, error["code"]) == (503, "unavailable")
    assert "MiB" in error["message"]
    assert (await events.wait_for(action="failed"))["message"] == error["message"]
    assert leftovers(places) == []


async def test_a_fuse_mount_is_made_and_taken_away_through_rest(
    rest: Rest, put: Put, manager: MountManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_fuse()
    monkeypatch.setenv(MODE_VARIABLE, "fuse")
    put({"/a": b"1", "/d/b": b"22"})
    status, mount = await rest("POST", "/mounts", ASKED)
    assert (status, mount["mode"]) == (201, "fuse")
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(None, (Path(mount["path"]) / "d/b").read_bytes) == b"22"
    assert (await rest("DELETE", "/mount", name="images"))[0] == 200


async def test_the_end_of_the_server_cancels_copying_without_a_trace(
    rest: Rest,
    places: Path,
    gate: Gate,  # noqa: F811
    slow_copy: None,  # noqa: F811
    backend: Any,
    jp_serverapp: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    mounting = asyncio.create_task(rest("POST", "/mounts", ASKED))
    await until(lambda: gate.waiting)
    stopped = backend.mounting._jobs["images"].stopped
    ending = asyncio.create_task(jp_serverapp.extension_manager.stop_all_extensions())
    await until(stopped.is_set)
    gate.open()
    await ending
    assert (await mounting)[0] == 409
    assert leftovers(places) == []
    gc.collect()
    assert "never retrieved" not in caplog.text
