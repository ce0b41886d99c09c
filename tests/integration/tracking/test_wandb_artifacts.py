"""Commits as artifacts of the real SDK: references only, the same version for the same commit, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb

import jupyter_dvmount as dvm
from jupyter_dvmount.config import load_config
from jupyter_dvmount.mounting.lazy import lazy_manager
from jupyter_dvmount.store import Invalid, NotFound
from tests.fuse import need_fuse
from tests.services.wandb_server import KEY, WandbServer


@pytest.fixture
def commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("DVMOUNT_STORE", (tmp_path / "store").as_uri())
    monkeypatch.setenv("DVMOUNT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DVMOUNT_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    with dvm.open_store() as store:
        store.create_repo("images")
        with store.modify("images", "master") as writer:
            writer.put("/a", b"a" * 1000)
    yield writer.commit.id
    wandb.teardown()  # its settings are read once in a process
    config = load_config()
    manager = lazy_manager(config, dvm.open_store)
    manager.unmount_all()
    manager.stop()


def test_an_artifact_is_one_reference_of_no_size_named_after_its_commit(commit: str, tmp_path: Path) -> None:
    first = dvm.wandb._artifact(dvm.wandb._commit("images@master"), None)
    again = dvm.wandb._artifact(dvm.wandb._commit(f"dvm://images@{commit[:8]}/"), None)
    assert first.name == "images"
    assert [entry.ref for entry in first.manifest.entries.values()] == [f"dvm://images@{commit}/"]
    assert (first.size, first.metadata["commit"]) == (0, commit)
    assert first.digest == again.digest
    with dvm.open_store() as store, store.modify("images", "master") as writer:
        writer.put("/b", b"b")
    assert dvm.wandb._artifact(dvm.wandb._commit("images@master"), None).digest != first.digest


def test_a_run_takes_inputs_and_outputs(commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVM_OUTPUT", f"dvm://models@{commit}/")
    with wandb.init(project="p", dir=str(tmp_path)) as run:
        dvm.wandb.use_input(run, "images@master")
        logged = dvm.wandb.log_output(run)
        assert run.config["dvm_inputs"] == [f"dvm://images@{commit}/"]
    assert [entry.ref for entry in logged.manifest.entries.values()] == [f"dvm://models@{commit}/"]


def test_an_artifact_leads_back_to_the_bytes(commit: str) -> None:
    need_fuse()
    artifact = dvm.wandb._artifact(dvm.wandb._commit("images@master"), None)
    assert (dvm.wandb.resolve(artifact) / "a").read_bytes() == b"a" * 1000


def test_what_points_nowhere_is_refused(commit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Invalid, match="points at no commit"):
        dvm.wandb.resolve(wandb.Artifact("x", type="dataset"))
    monkeypatch.delenv("DVM_OUTPUT", raising=False)
    with pytest.raises(Invalid, match="belongs to no job"):
        dvm.wandb.log_output(None)
    with pytest.raises(NotFound):
        dvm.wandb.use_input(None, "none@master")


def test_a_server_is_told_the_reference_and_gets_no_bytes(
    commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with WandbServer() as server:
        monkeypatch.setenv("WANDB_MODE", "online")
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        with wandb.init(project="p", dir=str(tmp_path)) as run:
            dvm.wandb.log_output(run, "images@master")
    created = server.artifacts[0]["input"]
    assert (created["artifactCollectionName"], created["artifactTypeName"]) == ("images", "dataset")
    assert commit in created["metadata"]
