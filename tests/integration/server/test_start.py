"""The server starts whatever is wrong, says what, and recovers without a restart; it ends leaving nothing."""

# ruff: noqa: ASYNC240 - a test may block its own loop for a moment

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from jupyter_dvmount.config import config_file
from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.mounting.support import MODE_VARIABLE
from jupyter_dvmount.server import lookouts
from jupyter_dvmount.store import VersionStore, open_store
from tests.fuse import need_fuse
from tests.integration.mounts.processes import kill, pid_of
from tests.integration.server.conftest import Put, Rest, until


async def check_of(rest: Rest, id: str) -> dict[str, Any]:
    status, health = await rest("GET", "/health")
    assert status == 200
    return next(check for check in health["checks"] if check["id"] == id)


@pytest.fixture
def newer_store(places: Path) -> Path:
    """A store of a format that this program does not know."""
    directory = places / "store"
    open_store(directory.as_uri()).close()
    marker = json.loads((directory / "format").read_text())
    (directory / "format").write_text(json.dumps({**marker, "version": marker["version"] + 1}))
    return directory


async def test_a_store_of_a_newer_format_is_reported_and_used_once_it_is_mended(
    newer_store: Path, rest: Rest
) -> None:
    assert (await check_of(rest, "store"))["status"] == "missing"
    status, error = await rest("GET", "/repos")
    assert (status, error["code"]) == (503, "unavailable")
    assert "update" in error["fix"]
    assert await rest("GET", "/mounts") == (200, {"items": []})
    shutil.rmtree(newer_store)
    assert (await rest("GET", "/repos"))[0] == 200
    assert (await check_of(rest, "store"))["status"] == "ok"


@pytest.fixture
def file_in_the_way(places: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store cannot be made, not even by root."""
    (places / "file").write_text("in the way")
    monkeypatch.setenv("DVMOUNT_STORE", (places / "file/store").as_uri())
    return places / "file"


async def test_a_store_that_cannot_be_made_is_reported(file_in_the_way: Path, rest: Rest) -> None:
    found = await check_of(rest, "store")
    assert (found["status"], bool(found["fix"])) == ("missing", True)
    status, error = await rest("POST", "/repos", {"name": "images"})
    assert status in {400, 403, 503}
    assert error["fix"]
    assert file_in_the_way.read_text() == "in the way"


@pytest.fixture
def secret_url(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVMOUNT_STORE", "s4://user:hunter2@bucket/path?key=hunter2")


async def test_a_secret_in_the_url_is_never_shown(secret_url: None, rest: Rest) -> None:
    for route in ("/health", "/repos"):
        assert "hunter2" not in json.dumps(await rest("GET", route))


@pytest.fixture
def broken_config(places: Path, jp_environ: None) -> Path:
    config_file().parent.mkdir(parents=True, exist_ok=True)
    config_file().write_text("store = [")
    return config_file()


async def test_a_broken_configuration_file_is_reported_and_read_again(
    broken_config: Path, rest: Rest
) -> None:
    found = await check_of(rest, "store")
    assert (found["status"], found["label"]) == ("missing", "Configuration")
    assert (await rest("GET", "/repos"))[1]["code"] == "invalid"
    broken_config.write_text("")
    assert (await rest("GET", "/repos"))[0] == 200


async def test_a_store_that_was_deleted_and_made_anew_is_noticed(rest: Rest, places: Path) -> None:
    await rest("POST", "/repos", {"name": "old"})
    shutil.rmtree(places / "store")
    with open_store((places / "store").as_uri()) as store:
        store.create_repo("new")
    await rest("GET", "/health")
    _, listed = await rest("GET", "/repos")
    assert [repo["name"] for repo in listed["items"]] == ["new"]


async def test_a_store_that_went_away_is_not_replaced_by_an_empty_one(rest: Rest, places: Path) -> None:
    await rest("POST", "/repos", {"name": "images"})
    (places / "store").rename(places / "elsewhere")
    lost = await check_of(rest, "store")
    assert (lost["status"], "gone" in lost["detail"]) == ("missing", True)
    assert (await rest("GET", "/repos"))[1]["code"] == "not_found"
    assert (await rest("POST", "/repos", {"name": "other"}))[1]["code"] == "not_found"
    assert not (places / "store").exists()
    (places / "elsewhere").rename(places / "store")
    assert (await check_of(rest, "store"))["status"] == "ok"
    _, listed = await rest("GET", "/repos")
    assert [repo["name"] for repo in listed["items"]] == ["images"]


@pytest.fixture
def lost_link(places: Path, put: Put, manager: MountManager) -> Path:
    """A mount whose link has been lost while no server ran."""
    put({"/a": b"1"})
    link = Path(manager.mount("images", "master").path)
    link.unlink()
    return link


async def test_mounts_are_restored_when_the_server_starts(lost_link: Path, rest: Rest) -> None:
    await until((lost_link / "a").is_file)


async def test_the_server_brings_back_daemon_and_supervisor_that_were_killed_at_once(
    rest: Rest, put: Put, places: Path, manager: MountManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_fuse()
    monkeypatch.setenv(MODE_VARIABLE, "fuse")
    monkeypatch.setattr(lookouts, "MOUNTS_AGE", 1000.0)  # it must not need to list them
    put({"/a": b"1"})
    path = Path((await rest("POST", "/mounts", {"repo": "images", "ref": "master"}))[1]["path"])
    for which in ("supervisor", "daemon"):
        kill(pid_of(places / "state", which))

    def readable() -> bool:
        with suppress(OSError):
            return (path / "a").read_bytes() == b"1"
        return False

    await until(readable)


async def test_a_mount_is_taken_away_although_the_store_is_broken(
    rest: Rest, put: Put, places: Path, store: VersionStore, manager: MountManager, backend: Any
) -> None:
    put({"/a": b"1"})
    await rest("POST", "/mounts", {"repo": "images", "ref": "master"})
    marker = (places / "store/format").read_text()
    (places / "store/format").write_text("rubbish")
    await rest("GET", "/health")
    assert (await rest("GET", "/repos"))[1]["code"] == "corrupt"
    assert (await rest("DELETE", "/mount", name="images"))[0] == 200
    assert list((places / "mnt").iterdir()) == []
    (places / "store/format").write_text(marker)


class TestSettings:
    @pytest.fixture
    def traits(self, places: Path) -> dict[str, Any]:
        return {"store_url": (places / "other").as_uri(), "mount_root": str(places / "elsewhere")}

    async def test_settings_win_and_are_handed_to_kernels(self, rest: Rest, places: Path) -> None:
        _, health = await rest("GET", "/health")
        assert health["store_url"] == (places / "other").as_uri()
        assert health["mount_root"] == str(places / "elsewhere")
        program = "from jupyter_dvmount.config import load_config as c; print(c().store, c().root)"
        kernel = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await kernel.communicate()
        assert output.decode().split() == [health["store_url"], health["mount_root"]]

    async def test_the_environment_is_put_back_at_the_end(self, jp_serverapp: Any, places: Path) -> None:
        assert os.environ["DVMOUNT_STORE"] == (places / "other").as_uri()
        await jp_serverapp.extension_manager.stop_all_extensions()
        assert os.environ["DVMOUNT_STORE"] == (places / "store").as_uri()


async def test_the_end_of_the_server_leaves_no_thread_and_keeps_mounts(
    rest: Rest, put: Put, places: Path, manager: MountManager, jp_serverapp: Any
) -> None:
    put({"/a": b"1"})
    await rest("POST", "/mounts", {"repo": "images", "ref": "master"})
    await jp_serverapp.extension_manager.stop_all_extensions()
    ours = ("dvmount-call", "dvmount-look", "dvmount-mount", "dvmount-jobs")
    await until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith(ours)])
    assert (places / "mnt/images/a").read_bytes() == b"1"
