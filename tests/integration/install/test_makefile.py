"""The newcomer's commands, already installed, in a directory with an awkward name."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dvmount_fuse.layout import State
from jupyter_dvmount.config import Config
from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.store import open_store
from tests.integration.mounts.processes import processes_of

REPO = Path(__file__).parents[3]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What make needs of a clone, and an environment in which pip and JupyterLab only say what they got."""
    clone = tmp_path / "my clone #1 100%"
    clone.mkdir()
    for part in ("Makefile", "pyproject.toml"):
        shutil.copy(REPO / part, clone)
    for part in ("tools", "binder"):
        shutil.copytree(REPO / part, clone / part)
    commands = clone / ".venv/bin"
    commands.mkdir(parents=True)
    _script(commands / "python", f'[ "$2" = pip ] || exec {shlex.quote(sys.executable)} "$@"')
    _script(commands / "jupyter", 'echo "$DVMOUNT_STORE|$DVMOUNT_STATE|$DVMOUNT_ROOT|$PWD"')
    return clone


def test_make_lab_works_in_a_directory_with_an_awkward_name(clone: Path) -> None:
    done = _make(clone, "lab")
    assert done.returncode == 0, done.stderr
    demo = clone / ".demo"
    assert done.stdout.splitlines()[-1].split("|") == [
        (demo / "store").as_uri(),
        str(demo / "state"),
        str(demo / "dvmount"),
        str(demo),
    ]
    with open_store((demo / "store").as_uri(), create=False) as store:
        assert list(store.list_repos())


def test_make_clean_removes_everything_although_something_is_mounted(clone: Path) -> None:
    demo = clone / ".demo"
    config = Config(store=(demo / "store").as_uri(), state=demo / "state", root=demo / "dvmount")
    with open_store(config.store) as store:
        store.create_repo("images")
        with store.modify("images", "master") as writer:
            writer.put("/a.txt", b"a")
        MountManager(config, store).mount("images", "master")
    done = _make(clone, "clean")
    assert done.returncode == 0, done.stderr
    assert not demo.exists()
    assert not (clone / ".venv").exists()
    assert not processes_of(State(config.state).path)


def _script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def _make(clone: Path, target: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", target],  # also when the tests run below make
        cwd=clone,
        env={**os.environ, "MAKEFLAGS": ""},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
