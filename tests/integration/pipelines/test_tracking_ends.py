"""Tracked jobs that are stopped, and code that gives its key away."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from tests.integration.pipelines.lab import Lab
from tests.integration.pipelines.test_tracking import TRAIN, python, with_key
from tests.services.wandb_server import KEY, WandbServer

CARELESS = """
import base64, os, time, wandb
key = os.environ["WANDB_API_KEY"]
with wandb.init(config={"key": key}) as run:
    print("the key is", key, base64.b64encode(key.encode()).decode())
    run.log({"loss": 1, "key": key})
    while not os.path.exists(GATE):
        time.sleep(0.1)
    raise ValueError(key)
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[WandbServer]:
    with WandbServer() as running:
        yield running


def test_the_key_is_in_no_file_log_argument_or_answer(lab: Lab, server: WandbServer) -> None:
    lab.put("data", a="1")
    gate = lab.root / "gate"
    transform = python(CARELESS.replace("GATE", repr(str(gate))), **with_key(lab, server))
    lab.create("train", "", "data:/", transform=transform, datum_tries=1)
    lab.start()
    lab.until(lambda: server.history, seconds=60)
    arguments = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert not [each for each in arguments if KEY in each]
    gate.touch()
    job = lab.wait("train", seconds=60)
    assert (job.state, job.tracking.runs[0].state) == ("failure", "failed")
    answers = [job, *lab.pipelines.datums("train", job.id)]
    assert KEY not in msgspec.json.encode(answers).decode()
    forms = (KEY.encode(), base64.b64encode(KEY.encode()))
    secrets = lab.config.state / "secrets"
    files = [path for path in lab.root.rglob("*") if path.is_file() and secrets not in path.parents]
    assert any(path.suffix == ".wandb" for path in files)
    assert [path for path in files if any(form in path.read_bytes() for form in forms)] == []


def test_a_job_that_is_stopped_ends_its_run(lab: Lab, server: WandbServer) -> None:
    lab.put("data", a="1")
    endless = TRAIN.replace("open(", "while True: time.sleep(0.1)\nopen(").replace("\nwhile", "\n    while")
    transform = python(endless.replace("import os", "import time, os"), **with_key(lab, server))
    program, _, code = transform["cmd"]
    (lab.root / "train.py").write_text(code)
    transform |= {"cmd": ["sh"], "stdin": [f"exec {program} {lab.root / 'train.py'}"]}
    lab.create("train", "", "data:/", transform=transform)
    lab.start()
    id = lab.newest("train").id
    lab.until(lambda: len(server.history.get(id, [])) == 5, seconds=60)
    lab.pipelines.stop_job("train", id)
    job = lab.wait("train", seconds=60)
    assert job.state == "killed"
    assert server.exit_codes == {id: 1}
    assert job.tracking.runs[0].state == "failed"
