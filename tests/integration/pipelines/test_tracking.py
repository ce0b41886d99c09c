"""Jobs and their W&B runs: the real SDK in the real engine, offline and against a server on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from jupyter_dvmount.pipelines.secrets import SecretStore
from jupyter_dvmount.pipelines.spec import parse
from tests.integration.pipelines.lab import Lab
from tests.integration.pipelines.sandboxes import IMAGE, make_image, need
from tests.services.wandb_server import ENTITY, KEY, WandbServer

TRAIN = """
import os, sys, wandb
with wandb.init(config={"rate": 0.1}) as run:
    for step in range(5):
        run.log({"loss": 1 / (step + 1)})
open(os.environ["PFS_OUT"] + "/" + os.environ.get("NAME", "model"), "w").write("weights")
"""
SECRET = {"name": "wandb", "key": "key", "env_var": "WANDB_API_KEY"}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[WandbServer]:
    with WandbServer() as running:
        yield running


def python(code: str, **fields: Any) -> dict[str, Any]:
    """A transform that runs code."""
    return {"cmd": [sys.executable, "-c", code], "stdin": [], **fields}


def with_key(lab: Lab, server: WandbServer) -> dict[str, Any]:
    """The fields of a transform whose runs go to the server."""
    SecretStore(lab.config.state / "secrets").create("wandb", {"key": KEY.encode()})
    return {"secrets": [SECRET], "env": {"WANDB_BASE_URL": server.url}}


@pytest.mark.parametrize("tier", ["plain", "bubblewrap"])
def test_a_job_without_a_key_has_a_run_on_this_machine(tmp_path: Path, tier: str) -> None:
    need(tier)
    lab = Lab(tmp_path, tier=tier)
    try:
        commit = lab.put("data", a="1")
        lab.create("train", "", "data:/", transform=python(TRAIN), tracking={"project": "pets"})
        before = lab.newest("train").tracking
        assert (before.provider, before.run_id, before.status, before.url) == (
            "wandb",
            commit,
            "expected",
            "",
        )
        lab.start()
        job = lab.wait("train", seconds=60)
        assert job.state == "success", lab.log()
        tracking = job.tracking
        assert (tracking.run_id, tracking.status, tracking.url) == (job.id, "offline", "")
        (run,) = tracking.runs
        assert (run.project, run.state, run.attempt) == ("pets", "finished", 1)
        assert lab.files("train") == {"/model": "weights"}
    finally:
        lab.close()


def test_an_image_gets_the_directory_too_whoever_its_user_is(tmp_path: Path) -> None:
    need("image")
    make_image()
    lab = Lab(tmp_path, tier="image")
    try:
        lab.put("data", a="1")
        begun = """
d=$WANDB_DIR/wandb/offline-run-1-$WANDB_RUN_ID
mkdir -p $d
printf ':W&B\\0\\0\\0' > $d/run-$WANDB_RUN_ID.wandb
"""
        lab.create("train", begun, "data:/", transform={"image": IMAGE, "user": "1000"}, tracking={})
        lab.start()
        job = lab.wait("train", seconds=60)
        assert job.state == "success", lab.log()
        assert [(run.run_id, run.state) for run in job.tracking.runs] == [(job.id, "unknown")]
    finally:
        lab.close()


def test_both_sides_have_the_jobs_id(lab: Lab, server: WandbServer) -> None:
    lab.put("data", a="1")
    lab.create("train", "", "data:/", transform=python(TRAIN, **with_key(lab, server)))
    lab.start()
    job = lab.wait("train", seconds=60)
    assert list(server.runs) == [job.id]
    assert server.exit_codes == {job.id: 0}
    assert [row["loss"] for row in server.history[job.id]] == [1 / (step + 1) for step in range(5)]
    tracking = job.tracking
    assert (tracking.run_id, tracking.status) == (job.id, "confirmed")
    assert tracking.url == f"{server.url}/{ENTITY}/train/runs/{job.id}"


def test_two_pipelines_of_one_project_and_code_with_an_id_of_its_own(lab: Lab, server: WandbServer) -> None:
    lab.put("data", a="1")
    shared = {"tracking": {"project": "pets"}, "transform": python(TRAIN, **with_key(lab, server))}
    own = TRAIN.replace("init(", "init(id='mine', project='other', ")
    specs = [lab.spec(name, "", "data:/", **deepcopy(shared)) for name in ("first", "second")]
    specs.append(lab.spec("own", "", "data:/", transform={**shared["transform"], **python(own)}))
    lab.pipelines.create([parsed.spec for text in specs for parsed in parse(text)])
    expected = {name: lab.newest(name).tracking.run_id for name in ("first", "second", "own")}
    id = lab.newest("own").id
    assert expected == {"first": f"{id}-first", "second": f"{id}-second", "own": id}
    lab.start()
    jobs = [lab.wait(name, seconds=90) for name in expected]
    assert [job.state for job in jobs] == ["success"] * 3
    assert set(server.runs) == {f"{id}-first", f"{id}-second", "mine"}
    assert {run["groupName"] for run in server.runs.values()} == {id}
    assert [job.tracking.run_id for job in jobs] == [f"{id}-first", f"{id}-second", "mine"]
    assert jobs[2].tracking.url == f"{server.url}/{ENTITY}/other/runs/mine"


def test_each_attempt_is_a_run_of_its_own_and_the_last_one_counts(lab: Lab) -> None:
    lab.put("data", a="1")
    failing = TRAIN.replace("with wandb", "is_first = os.environ['WANDB_RUN_ID'][-3:] != '-a2'\nwith wandb")
    failing = failing.replace("open(", "sys.exit(3) if is_first else open(")
    lab.create("train", "", "data:/", transform=python(failing), tracking={}, datum_tries=2)
    lab.start()
    job = lab.wait("train", seconds=90)
    assert job.state == "success"
    assert [(run.run_id, run.attempt, run.status) for run in job.tracking.runs] == [
        (job.id, 1, "offline"),
        (f"{job.id}-a2", 2, "offline"),
    ]
    assert job.tracking.run_id == f"{job.id}-a2"


def test_a_run_is_seen_while_it_is_made_and_not_resumed_after_the_controllers_death(lab: Lab) -> None:
    lab.put("data", a="1")
    gate = lab.root / "gate"
    slow = TRAIN.replace("open(", f"while not os.path.exists({str(gate)!r}): time.sleep(0.1)\nopen(")
    slow = slow.replace("\nwhile", "\n    while").replace("import os", "import time, os")
    lab.create("train", "", "data:/", transform=python(slow), tracking={})
    lab.start()
    seen = lab.until(lambda: lab.newest("train").tracking.total and lab.newest("train"), seconds=60)
    assert (seen.state, seen.tracking.status, seen.tracking.runs[0].state) == (
        "running",
        "offline",
        "running",
    )
    lab.kill()
    gate.touch()
    lab.start()
    job = lab.wait("train", seconds=90)
    assert [run.run_id for run in job.tracking.runs] == [job.id, f"{job.id}-a2"]
    assert job.tracking.runs[1].state == "finished"


def test_each_datum_may_be_a_run_and_runs_of_a_sweep_are_listed(lab: Lab) -> None:
    lab.put("data", a="1", b="2")
    named = TRAIN.replace('os.environ.get("NAME", "model")', 'os.environ["PACH_DATUM_ID"]')
    lab.create("each", "", "data:/*", transform=python(named), tracking={"run_per": "datum"})
    swept = """
import wandb
for id in "abc":
    with wandb.init(id=id, settings=wandb.Settings(sweep_id="s1")) as run:
        run.log({"x": 1})
"""
    lab.create("sweep", "", "data:/", transform=python(swept), tracking={})
    lab.create("silent", "true", "data:/", tracking={})
    lab.start()
    each, sweep, silent = [lab.wait(name, seconds=90) for name in ("each", "sweep", "silent")]
    datums = {datum.id for datum in lab.pipelines.datums("each", each.id)}
    assert {run.run_id for run in each.tracking.runs} == {f"{each.id}-{datum[:12]}" for datum in datums}
    assert {run.datum for run in each.tracking.runs} == datums
    assert [(run.run_id, run.sweep) for run in sweep.tracking.runs] == [("a", "s1"), ("b", "s1"), ("c", "s1")]
    assert (silent.tracking.run_id, silent.tracking.status) == (silent.id, "none")
