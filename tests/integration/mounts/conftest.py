"""A real store, a real daemon and a real mount for each test; nothing of them is left behind."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dvmount_fuse.endpoint import mounted_device
from dvmount_fuse.layout import State
from jupyter_dvmount.config import Config
from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.mounting.support import MODE_VARIABLE
from jupyter_dvmount.store import VersionStore, open_store
from tests.fuse import need_fuse
from tests.integration.mounts.processes import LIMIT, processes_of, wait_for

Put = Callable[..., str]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[VersionStore]:
    opened = open_store((tmp_path / "store").as_uri())
    yield opened
    opened.close()


@pytest.fixture
def put(store: VersionStore) -> Put:
    """Put files as one commit, in a repository that is made if missing; returns the commit's id."""

    def commit(files: dict[str, bytes], repo: str = "images", branch: str = "master") -> str:
        if repo not in {known.name for known in store.list_repos()}:
            store.create_repo(repo)
        with store.modify(repo, branch) as writer:
            for path, content in files.items():
                writer.put(path, content)
        return writer.commit.id

    return commit


@pytest.fixture
def config(tmp_path: Path, store: VersionStore) -> Config:
    return Config(store=store.url, state=tmp_path / "state", root=tmp_path / "mnt")


@pytest.fixture
def checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy files instead of mounting."""
    monkeypatch.setenv(MODE_VARIABLE, "checkout")


@pytest.fixture
def fuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mount, or skip where that is impossible."""
    need_fuse()
    monkeypatch.setenv(MODE_VARIABLE, "fuse")


@pytest.fixture
def manager(config: Config, store: VersionStore) -> Iterator[MountManager]:
    made = MountManager(config, store)
    yield made
    made.unmount_all()
    if (config.state / "run").is_dir():
        made.stop()
    assert mounted_device(State(config.state).fs) is None
    wait_for(lambda: not processes_of(config.state))


@pytest.fixture
def start():
    """Starts processes, and ends those that are left."""
    started = []

    def run(*argv):
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate(timeout=LIMIT)
