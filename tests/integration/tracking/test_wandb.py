"""The real W&B SDK in a job's environment: offline, online against a local server, and read back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_dvmount.store import Denied, Unavailable
from jupyter_dvmount.tracking import Settings, TrackedJob, tracker
from tests.services.wandb_server import ENTITY, KEY, WandbServer

ID = "fedcba9876543210" * 2
WANDB = tracker("wandb")
JOB = TrackedJob(
    id=ID,
    pipeline="train",
    inputs=(f"dvm://images@{ID}/",),
    output=f"dvm://train@{ID}/",
    branches=("images@master",),
)
CODE = """
import wandb
run = wandb.init(config={"rate": 0.1})
for step in range(20):
    run.log({"loss": 1 / (step + 1)})
print("trained")
run.finish()
"""


@pytest.fixture
def server() -> Iterator[WandbServer]:
    with WandbServer() as running:
        yield running


def start(
    code: str, directory: Path, settings: Settings, key: str = "", job: TrackedJob = JOB
) -> subprocess.Popen[str]:
    """Run code as a job would."""
    directory.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory)}
    environment |= WANDB.environment(job, settings, str(directory), has_key=bool(key))
    environment |= {WANDB.key_variable: key} if key else {}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        cwd=directory,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def run(code: str, directory: Path, settings: Settings, key: str = "", job: TrackedJob = JOB) -> str:
    with start(code, directory, settings, key, job) as process:
        text, _ = process.communicate(timeout=120)
        assert process.returncode == 0, text
    return text


def test_a_job_without_a_key_is_logged_locally_and_read_back(tmp_path: Path) -> None:
    directory = tmp_path / "w"
    run(CODE, directory, Settings(project="pets"))
    (found,) = WANDB.runs(directory / WANDB.run_directory)
    assert (found.run_id, found.project, found.state, found.exit_code) == (ID, "pets", "finished", 0)
    assert found.summary["loss"] == 0.05
    assert found.offline
    assert not found.synced
    assert found.tags == ("images@master", "train")
    (loss,) = WANDB.history(directory / WANDB.run_directory / found.directory)
    assert (loss.name, loss.steps) == ("loss", list(range(20)))
    assert loss.values == [1 / (step + 1) for step in range(20)]
    (thinned,) = WANDB.history(directory / WANDB.run_directory / found.directory, points=5)
    assert 2 <= len(thinned.steps) <= 5


def test_both_sides_have_the_id_and_the_metrics_and_the_key_is_nowhere(
    tmp_path: Path, server: WandbServer
) -> None:
    directory = tmp_path / "w"
    settings = Settings(project="pets", base_url=server.url)
    printed = run(CODE, directory, settings, KEY)
    assert list(server.runs) == [ID]
    assert server.runs[ID]["groupName"] == ID
    assert server.runs[ID]["jobType"] == "train"
    assert server.exit_codes == {ID: 0}
    assert [row["loss"] for row in server.history[ID]] == [1 / (step + 1) for step in range(20)]
    (found,) = WANDB.runs(directory / WANDB.run_directory)
    assert (found.run_id, found.offline) == (ID, False)
    assert KEY not in printed
    assert not [path for path in directory.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_code_that_chooses_its_own_id_is_found_by_it(tmp_path: Path) -> None:
    run(CODE.replace("init(", "init(id='mine', project='other', "), tmp_path / "w", Settings(project="pets"))
    (found,) = WANDB.runs(tmp_path / "w" / WANDB.run_directory)
    assert (found.run_id, found.project) == ("mine", "other")


def test_a_failing_run_and_a_killed_one_are_told_apart(tmp_path: Path) -> None:
    failing = CODE.replace("run.finish()", "raise ValueError('no')")
    with start(failing, tmp_path / "f", Settings(project="p")) as process:
        process.communicate(timeout=120)
    assert [each.state for each in WANDB.runs(tmp_path / "f" / "wandb")] == ["failed"]
    endless = CODE.replace(
        "print(", "import time; time.sleep(2); print('ready', flush=True); time.sleep(600); print("
    )
    with start(endless, tmp_path / "k", Settings(project="p")) as process:
        while "ready" not in process.stdout.readline():
            pass
        os.killpg(process.pid, signal.SIGKILL)
    (killed,) = WANDB.runs(tmp_path / "k" / "wandb")
    assert killed.state in {"running", "crashed", "unknown"}
    assert killed.summary.get("loss") == 0.05  # what was logged before the kill is there
    assert killed.exit_code is None


def test_a_log_that_was_only_begun_is_unknown_and_not_an_error(tmp_path: Path) -> None:
    directory = tmp_path / "offline-run-20260101_000000-abc"
    directory.mkdir()
    (directory / "run-abc.wandb").write_bytes(b":W&B\0\0\0")
    (found,) = WANDB.runs(tmp_path)
    assert (found.run_id, found.state) == ("abc", "unknown")


def test_reading_a_run_again_costs_nothing_while_it_has_not_changed(tmp_path: Path) -> None:
    run(CODE, tmp_path / "w", Settings(project="p"))
    WANDB.runs(tmp_path / "w" / "wandb")
    begun = time.monotonic()
    WANDB.runs(tmp_path / "w" / "wandb")
    assert time.monotonic() - begun < 0.2


def test_an_offline_run_is_uploaded_later_under_the_same_id(tmp_path: Path, server: WandbServer) -> None:
    settings = Settings(project="pets", base_url=server.url)
    run(CODE, tmp_path / "w", settings)
    assert server.runs == {}
    (found,) = WANDB.runs(tmp_path / "w" / "wandb")
    WANDB.sync(tmp_path / "w" / "wandb" / found.directory, settings, KEY)
    assert list(server.runs) == [ID]
    assert len(server.history[ID]) == 20
    (found,) = WANDB.runs(tmp_path / "w" / "wandb")
    assert found.synced


def test_an_upload_that_fails_says_so(tmp_path: Path, server: WandbServer) -> None:
    settings = Settings(project="pets", base_url=server.url)
    run(CODE, tmp_path / "w", settings)
    (found,) = WANDB.runs(tmp_path / "w" / "wandb")
    with pytest.raises((Unavailable, Denied)) as caught:
        WANDB.sync(tmp_path / "w" / "wandb" / found.directory, settings, "local-" + "x" * 40)
    assert "x" * 40 not in str(caught.value)


def test_the_owner_of_a_key_is_asked_for_and_the_page_follows(server: WandbServer) -> None:
    settings = Settings(project="pets", base_url=server.url)
    account = WANDB.account(settings, KEY)
    assert account.entity == ENTITY
    assert WANDB.url(account, ID, settings) == f"{server.url}/{ENTITY}/pets/runs/{ID}"


def test_a_wrong_key_is_denied_and_not_repeated(server: WandbServer) -> None:
    wrong = "local-" + "w" * 40
    with pytest.raises(Denied) as caught:
        WANDB.account(Settings(project="p", base_url=server.url), wrong)
    assert wrong not in caught.value.message


def test_without_a_key_no_server_is_asked(server: WandbServer) -> None:
    account = WANDB.account(Settings(project="p", base_url=server.url), "")
    assert (account.entity, account.app_url) == ("", server.url)
    assert server.operations == []
    assert WANDB.url(account, ID, Settings(project="p")) is None


def test_a_server_that_is_down_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="cannot reach"):
        WANDB.account(Settings(project="p", base_url="http://127.0.0.1:9"), KEY)
