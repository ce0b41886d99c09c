"""The runs of jobs in an experiment tracker through REST, with the real SDK and no server of it."""

from __future__ import annotations

import sys

import pytest

from jupyter_dvmount.pipelines.jobs import FINAL
from tests.integration.server.conftest import Put, Rest
from tests.integration.server.pipelines import create, job_when

pytestmark = pytest.mark.usefixtures("controlled")

TRAIN = """
import wandb
with wandb.init(config={"rate": 0.1}) as run:
    for step in range(5):
        run.log({"loss": 1 / (step + 1)})
"""


async def test_an_offline_run_is_shown_with_its_metrics_and_curves(rest: Rest, put: Put) -> None:
    put({"/a": b"1"})
    transform = {"cmd": [sys.executable, "-c", TRAIN]}
    await create(rest, "train", "", glob="/", transform=transform, tracking={"project": "pets"})
    job = await job_when(rest, "train", FINAL, seconds=120)
    assert (job["state"], job["tracking"]["status"]) == ("success", "offline"), job
    status, found = await rest("GET", "/runs", pipeline="train", id=job["id"])
    assert status == 200
    (run,) = found["items"]
    assert (run["run_id"], run["project"], run["state"]) == (job["id"], "pets", "finished")
    assert (run["status"], run["url"], run["offline"], run["synced"]) == ("offline", "", True, False)
    assert run["summary"]["loss"] == pytest.approx(0.2)
    (curve,) = run["history"]
    assert (curve["name"], curve["steps"]) == ("loss", [0, 1, 2, 3, 4])
    assert curve["values"] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])


async def test_a_job_without_a_tracker_has_no_runs(rest: Rest, put: Put) -> None:
    put({"/a": b"1"})
    await create(rest, "copy", "true")
    job = await job_when(rest, "copy", FINAL)
    assert await rest("GET", "/runs", pipeline="copy", id=job["id"]) == (200, {"items": []})
