"""The real server application with the real store and mounts, and a client that checks every answer."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from jupyter_server.serverapp import ServerApp
from pytest_jupyter.jupyter_core import (  # noqa: F401 - plugins of one directory, not of the whole run
    echo_kernel_spec,
    jp_asyncio_loop,
    jp_config_dir,
    jp_data_dir,
    jp_env_config_path,
    jp_env_jupyter_path,
    jp_environ,
    jp_home_dir,
    jp_kernel_dir,
    jp_runtime_dir,
    jp_system_config_path,
    jp_system_jupyter_path,
    pytest_pycollect_makeitem,
    pytest_pyfunc_call,
)
from pytest_jupyter.jupyter_server import (  # noqa: F401
    jp_argv,
    jp_auth_header,
    jp_base_url,
    jp_configurable_serverapp,
    jp_fetch,
    jp_http_port,
    jp_logging_stream,
    jp_nbconvert_templates,
    jp_root_dir,
    jp_server_cleanup,
    jp_serverapp,
    jp_template_dir,
    jp_web_app,
    jp_ws_fetch,
)
from pytest_jupyter.pytest_tornasync import (  # noqa: F401
    http_server,
    http_server_client,
    http_server_port,
    io_loop,
)

from jupyter_dvmount.config import load_config
from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.mounting.support import MODE_VARIABLE
from jupyter_dvmount.pipelines.controller.process import stop_controller
from jupyter_dvmount.pipelines.jobs.database import open_database
from jupyter_dvmount.pipelines.sandbox.tiers import TIER_VARIABLE
from jupyter_dvmount.server.handlers import PREFIX
from jupyter_dvmount.store import VersionStore, open_store
from tests.integration.mounts.processes import processes_of, wait_for
from tests.integration.server.contract import check_answer

Put = Callable[..., str]
Rest = Callable[..., Awaitable[tuple[int, Any]]]


class Feed:
    """What a browser gets of our events."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    def close(self) -> None:
        """Go away."""
        self._socket.close()

    async def wait_for(self, **wanted: object) -> dict[str, Any]:
        """The next event with these fields; the ones before are dropped."""
        while True:
            message = await asyncio.wait_for(self._socket.read_message(), 20)
            assert message is not None, "the stream has ended"
            event: dict[str, Any] = json.loads(message)
            if all(event.get(key) == value for key, value in wanted.items()):
                return event


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Store, state and mount root of this test; files are copied instead of mounted."""
    monkeypatch.setenv("DVMOUNT_STORE", (tmp_path / "store").as_uri())
    monkeypatch.setenv("DVMOUNT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DVMOUNT_ROOT", str(tmp_path / "mnt"))
    monkeypatch.setenv(MODE_VARIABLE, "checkout")
    monkeypatch.setenv(TIER_VARIABLE, "plain")
    return tmp_path


@pytest.fixture
def store(places: Path) -> Iterator[VersionStore]:
    """The store as another process would have it open."""
    with open_store((places / "store").as_uri()) as opened:
        yield opened


@pytest.fixture
def put(store: VersionStore) -> Put:
    """Put files as one commit, in a repository that is made if missing; returns the commit's id."""

    def commit(files: dict[str, bytes], repo: str = "images", branch: str = "master") -> str:
        if repo not in {known.name for known in store.list_repos()}:
            store.create_repo(repo)
        with store.modify(repo, branch, message="some files") as writer:
            for path, content in files.items():
                writer.put(path, content)
        return writer.commit.id

    return commit


@pytest.fixture
def manager(
    store: VersionStore,
    jp_asyncio_loop: asyncio.AbstractEventLoop,  # noqa: F811
) -> Iterator[MountManager]:
    """The mounts as another process would handle them; none of them is left behind."""
    made = MountManager(load_config(), store)
    yield made
    _end_server(jp_asyncio_loop)  # which would start the supervisor again
    made.unmount_all()
    state = load_config().state
    if (state / "run").is_dir():
        made.stop()
    wait_for(lambda: not processes_of(state))


@pytest.fixture
def controlled(
    store: VersionStore,
    jp_asyncio_loop: asyncio.AbstractEventLoop,  # noqa: F811
) -> Iterator[None]:
    """Pipelines may run: no controller is left behind."""
    yield
    _end_server(jp_asyncio_loop)  # which would start one again
    with open_database(load_config(), store) as database:
        stop_controller(database)


@pytest.fixture
def traits() -> dict[str, Any]:
    """Settings of the extension; tests override it."""
    return {}


@pytest.fixture
def jp_server_config(places: Path, traits: dict[str, Any]) -> dict[str, Any]:
    return {
        "ServerApp": {"jpserver_extensions": {"jupyter_dvmount": True}},
        "DvmountApp": {"poll_interval": 0.05, **traits},
    }


@pytest.fixture
def rest(
    http_server_client: Any,  # noqa: F811
    jp_auth_header: dict[str, str],  # noqa: F811
    jp_base_url: str,  # noqa: F811
    jp_asyncio_loop: asyncio.AbstractEventLoop,  # noqa: F811
) -> Iterator[Rest]:
    """Ask our REST interface; every answer is compared with openapi.yaml."""

    async def ask(method: str, route: str, body: object = None, **params: Any) -> tuple[int, Any]:
        query = f"?{urlencode(params, doseq=True)}" if params else ""
        answer = await http_server_client.fetch(
            f"{jp_base_url.rstrip('/')}{PREFIX}{route}{query}",
            method=method,
            headers=jp_auth_header,
            body=None if body is None else body if isinstance(body, bytes) else json.dumps(body),
            allow_nonstandard_methods=True,
            raise_error=False,
            request_timeout=60,
        )
        decoded = json.loads(answer.body) if answer.body else None
        check_answer(route, method, answer.code, decoded)
        return answer.code, decoded

    yield ask
    _end_server(jp_asyncio_loop)


@pytest.fixture
def feed(jp_ws_fetch: Any, rest: Rest) -> Callable[[], Awaitable[Feed]]:  # noqa: F811
    """Connect to the event stream, after which everything that happens must arrive."""

    async def connect() -> Feed:
        socket = await jp_ws_fetch("api", "events", "subscribe")
        return Feed(socket)

    return connect


@pytest.fixture
def backend(jp_serverapp: Any) -> Any:  # noqa: F811
    return jp_serverapp.web_app.settings["jupyter_dvmount_backend"]


def _end_server(loop: asyncio.AbstractEventLoop) -> None:
    """While the environment is still the test's."""
    if ServerApp.initialized():
        loop.run_until_complete(ServerApp.instance().extension_manager.stop_all_extensions())


async def until(what: Callable[[], object], seconds: float = 20) -> None:
    """Let the server work until ``what`` is true; fails after a generous limit."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"still not so after {seconds} s"
        await asyncio.sleep(0.01)


logging.getLogger("asyncio").setLevel(logging.WARNING)
