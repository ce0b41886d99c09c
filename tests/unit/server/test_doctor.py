"""Diagnoses: each trouble is named with its remedy, and none of them stops the others."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from jupyter_dvmount import doctor
from jupyter_dvmount.config import Config
from jupyter_dvmount.doctor import diagnose, without_secrets
from jupyter_dvmount.mounting.model import Check
from jupyter_dvmount.store import VersionStore, open_store

IDS = ["store", "mount", "sandbox", "controller", "executor", "disk", "server", "labextension", "versions"]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(store=(tmp_path / "store").as_uri(), state=tmp_path / "state", root=tmp_path / "mnt")


@pytest.fixture
def store(config: Config) -> VersionStore:
    return open_store(config.store)


def found(config: Config, id: str, store: VersionStore | None = None) -> Check:
    checks = {check.id: check for check in diagnose(config, store)}
    assert list(checks) == IDS
    assert all(check.fix for check in checks.values() if check.status != "ok")
    assert not any("\n" in check.fix for check in checks.values())
    return checks[id]


def test_a_store_that_works_is_ok(config: Config, store: VersionStore) -> None:
    assert found(config, "store").status == "ok"
    assert found(config, "store", store).detail.startswith("embedded, file:///")


def test_a_store_that_is_not_made_yet_is_no_trouble_and_is_not_made(config: Config, tmp_path: Path) -> None:
    assert found(config, "store").status == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_made_is_missing(tmp_path: Path, config: Config) -> None:
    (tmp_path / "file").write_text("")
    broken = Config(store=(tmp_path / "file/store").as_uri(), state=config.state, root=config.root)
    assert found(broken, "store").status == "missing"


def test_a_store_of_a_newer_format_is_missing(config: Config, store: VersionStore, tmp_path: Path) -> None:
    marker = tmp_path / "store/format"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "version": 99}))
    check = found(config, "store")
    assert (check.status, "99" in check.detail) == ("missing", True)


@pytest.mark.parametrize(
    "url", ["", "s4://user:hunter2@host/x?secret=hunter2", "no url", "http://[", "file:"]
)
def test_an_impossible_url_is_named_without_its_secrets(config: Config, url: str) -> None:
    check = found(Config(store=url, state=config.state, root=config.root), "store")
    assert check.status == "missing"
    assert "hunter2" not in check.detail + check.fix


def test_a_store_on_a_network_file_system_is_limited(
    config: Config, store: VersionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = subprocess.CompletedProcess([], 0, stdout="Type\nnfs4\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    check = found(config, "store")
    assert (check.status, "nfs4" in check.detail) == ("limited", True)


def test_a_file_system_that_does_not_answer_does_not_hang_the_diagnosis(
    config: Config, store: VersionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*arguments: object, **_: object) -> None:
        raise subprocess.TimeoutExpired("df", 5)

    monkeypatch.setattr(subprocess, "run", hang)
    assert found(config, "store").status == "ok"


@pytest.mark.parametrize(("free", "status"), [(1 << 40, "ok"), (500 << 20, "limited"), (1 << 20, "missing")])
def test_a_disk_that_fills_up_is_reported(
    config: Config, monkeypatch: pytest.MonkeyPatch, free: int, status: str
) -> None:
    usage = shutil.disk_usage("/")._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert found(config, "disk").status == status


def test_a_mount_root_that_cannot_be_made_is_reported(config: Config, tmp_path: Path) -> None:
    (tmp_path / "mnt").write_text("a file")
    check = found(config, "disk")
    assert (check.status, str(tmp_path / "mnt") in check.detail) == ("missing", True)
    assert stat.S_ISREG((tmp_path / "mnt").stat().st_mode)


@pytest.fixture
def jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Jupyter that knows only this directory."""
    from jupyter_core import paths

    for name in ("SYSTEM_JUPYTER_PATH", "ENV_JUPYTER_PATH", "SYSTEM_CONFIG_PATH", "ENV_CONFIG_PATH"):
        monkeypatch.setattr(paths, name, [])
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def test_halves_that_are_not_installed_are_missing_with_the_command(config: Config, jupyter: Path) -> None:
    for half in ("server", "labextension"):
        check = found(config, half)
        assert check.status == "missing"
        assert "pip install jupyter-dvmount" in check.fix


def test_halves_that_are_switched_off_are_missing_with_the_command(config: Config, jupyter: Path) -> None:
    server = jupyter / "config/jupyter_server_config.d/jupyter_dvmount.json"
    server.parent.mkdir(parents=True)
    server.write_text(json.dumps({"ServerApp": {"jpserver_extensions": {"jupyter_dvmount": False}}}))
    panel = jupyter / "data/labextensions/jupyter-dvmount/package.json"
    panel.parent.mkdir(parents=True)
    panel.write_text(
        json.dumps({"name": "jupyter-dvmount", "version": "1", "jupyterlab": {"_build": {"load": ""}}})
    )
    assert found(config, "labextension").status == "ok"
    page = jupyter / "config/labconfig/page_config.json"
    page.parent.mkdir(parents=True)
    page.write_text(json.dumps({"disabledExtensions": {"jupyter-dvmount": True}}))
    assert "enable jupyter_dvmount" in found(config, "server").fix
    assert "enable jupyter-dvmount" in found(config, "labextension").fix


def test_a_check_that_fails_itself_is_a_finding(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(doctor, "check_mounting", fail)
    check = found(config, "mount")
    assert (check.status, "hunter2" in check.detail) == ("missing", False)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("file:///data/store", "file:///data/store"),
        ("s3://key:secret@bucket/path?token=x#y", "s3://bucket/path"),
        ("http://[", "(not a URL)"),
    ],
)
def test_a_url_is_shown_without_secrets(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


def test_the_sandbox_is_named_with_what_does_not_work_and_why(
    config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "_tiers", doctor._tiers.__wrapped__)  # as in a process of its own
    monkeypatch.setenv("PATH", str(tmp_path))
    check = found(config, "sandbox")
    assert check.status == "limited"
    assert "pipelines can run in: plain" in check.detail
    assert "neither podman nor docker is installed" in check.detail
    assert check.fix == "sudo apt-get install -y bubblewrap"
