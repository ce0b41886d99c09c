"""Browsers are told what happens, whoever does it; a store in trouble does not silence the rest."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.server.events import CHANGE_SCHEMA, MOUNT_SCHEMA
from jupyter_dvmount.store import Unavailable, VersionStore, open_store
from tests.integration.server.conftest import Put, Rest, until


async def watched(backend: Any, opened: bool = True) -> None:
    """Wait until the watcher has taken note of how things are."""
    lookout = backend._watchers[0]._lookout
    await until(lambda: lookout._opened is not None if opened else lookout._absent)


async def test_somebody_listens_while_a_browser_is_connected(rest: Rest, feed: Any, backend: Any) -> None:
    events = backend._watchers[0]._events
    assert not events.has_listeners()
    browser = await feed()
    assert events.has_listeners()
    browser.close()
    await until(lambda: not events.has_listeners())


async def test_what_is_made_through_rest_is_told(rest: Rest, feed: Any) -> None:
    events = await feed()
    await rest("POST", "/repos", {"name": "images"})
    event = await events.wait_for(schema_id=CHANGE_SCHEMA, kind="repo")
    assert (event["action"], event["repo"]) == ("created", "images")
    assert "seq" not in event


async def test_commits_of_another_process_are_told(
    rest: Rest, feed: Any, store: VersionStore, backend: Any
) -> None:
    await watched(backend)
    events = await feed()
    program = (
        "import os; from jupyter_dvmount.store import open_store\n"
        "with open_store(os.environ['DVMOUNT_STORE']) as store:\n"
        "    store.create_repo('tables')\n"
        "    with store.modify('tables', 'master') as writer: writer.put('/a', b'1')\n"
    )
    done = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await done.wait() == 0
    await events.wait_for(kind="repo", action="created", repo="tables")
    event = await events.wait_for(kind="commit", action="finished", repo="tables")
    assert event["commit"] == store.inspect_commit("tables", "master").id


async def test_the_first_thing_in_a_store_that_did_not_exist_is_told(
    rest: Rest, feed: Any, places: Path, backend: Any
) -> None:
    await watched(backend, opened=False)
    events = await feed()
    with open_store((places / "store").as_uri()) as store:
        store.create_repo("images")
        await events.wait_for(kind="repo", action="created", repo="images")


async def test_mounts_of_other_processes_are_told(
    rest: Rest, feed: Any, put: Put, manager: MountManager, backend: Any
) -> None:
    commit = put({"/a": b"1"})
    await watched(backend)
    events = await feed()
    manager.mount("images", "master", name="pets")
    event = await events.wait_for(schema_id=MOUNT_SCHEMA, action="mounted")
    assert (event["name"], event["repo"], event["ref"], event["commit"]) == (
        "pets",
        "images",
        "master",
        commit,
    )
    put({"/a": b"2"})
    await events.wait_for(action="updated", name="pets")
    manager.unmount("pets")
    await events.wait_for(action="unmounted", name="pets")


async def test_each_mount_is_told_once(rest: Rest, feed: Any, put: Put, manager: MountManager) -> None:
    put({"/a": b"1"})
    events = await feed()
    await rest("POST", "/mounts", {"repo": "images", "ref": "master"})
    await rest("DELETE", "/mount", name="images")
    await rest("POST", "/repos", {"name": "last"})
    seen = []
    while (event := await events.wait_for())["repo"] != "last":
        if event["schema_id"] == MOUNT_SCHEMA and event["action"] != "progress":
            seen.append(event["action"])
    assert seen in (["mounted", "unmounted"], []), "too fast to be noticed is fine, twice is not"


async def test_a_thousand_changes_at_once_all_arrive(
    rest: Rest, feed: Any, store: VersionStore, backend: Any
) -> None:
    store.create_repo("images")
    await watched(backend)
    events = await feed()
    for number in range(600):
        store.create_branch("images", f"b{number:03}")
        store.delete_branch("images", f"b{number:03}")
    for number in range(600):
        await events.wait_for(kind="branch", action="deleted", branch=f"b{number:03}")


async def test_mounts_that_cannot_be_listed_do_not_silence_the_store(
    rest: Rest, feed: Any, store: VersionStore, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched(backend)

    def broken(_: Any) -> None:
        raise Unavailable("the state directory is gone")

    monkeypatch.setattr(MountManager, "list", broken)
    events = await feed()
    store.create_repo("images")
    await events.wait_for(kind="repo", action="created", repo="images")


async def test_the_watcher_goes_on_after_a_fault(
    rest: Rest, feed: Any, store: VersionStore, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched(backend)
    failed = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = type(store).changes

    def broken(*_: Any, **__: Any) -> None:
        loop.call_soon_threadsafe(failed.set)
        raise OSError("the disk is gone")

    monkeypatch.setattr(type(store), "changes", broken)
    await asyncio.wait_for(failed.wait(), 20)
    monkeypatch.setattr(type(store), "changes", real)
    events = await feed()
    await rest("POST", "/repos", {"name": "images"})
    await events.wait_for(kind="repo", action="created")
