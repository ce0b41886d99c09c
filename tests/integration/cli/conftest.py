"""The command on a store of its own, with mounts that are gone afterwards."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_dvmount.config import load_config
from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.pipelines.controller.process import stop_controller
from jupyter_dvmount.pipelines.jobs.database import open_database
from jupyter_dvmount.store import open_store
from tests.integration.cli.command import COMMAND, Dvmount, Start
from tests.integration.mounts.processes import processes_of, wait_for


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Everything of a test in one directory, which is also the working directory."""
    monkeypatch.setenv("DVMOUNT_STORE", (tmp_path / "store").as_uri())
    monkeypatch.setenv("DVMOUNT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DVMOUNT_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("DVMOUNT_OUTPUT", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    yield tmp_path
    if (tmp_path / "state" / "pipelines").is_dir():
        with open_store((tmp_path / "store").as_uri()) as store, open_database(load_config(), store) as jobs:
            stop_controller(jobs)
    if (tmp_path / "state" / "run").is_dir():
        with open_store((tmp_path / "store").as_uri()) as store:
            monkeypatch.delenv("DVMOUNT_MODE", raising=False)
            manager = MountManager(load_config(), store)
            manager.unmount_all()
            manager.stop()
        wait_for(lambda: not processes_of(tmp_path / "state"))


@pytest.fixture
def dvmount() -> Dvmount:
    return Dvmount()


@pytest.fixture
def images(dvmount: Dvmount) -> str:
    """A repository with one commit: /a.txt and /pets/cat.txt."""
    dvmount("create", "repo", "images")
    tree = Path("tree/pets")
    tree.mkdir(parents=True)
    Path("tree/a.txt").write_bytes(b"alpha\n")
    Path("tree/pets/cat.txt").write_bytes(b"meow\n")
    dvmount("put", "file", "images@master:/", "-r", "-f", "tree", "-m", "first")
    return "images"


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the command as a process of its own; it does not outlive the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*args: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen(
            [*COMMAND, *map(str, args)], **{**pipes, "env": dict(os.environ), **options}
        )
        started.append(process)
        return process

    yield run
    for process in started:
        with process:
            process.kill()
