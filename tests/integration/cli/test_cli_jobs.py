"""Pipelines and jobs from the command line and from Python, with the controller that is started by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import jupyter_dvmount as dvm
from jupyter_dvmount.store import NotFound
from tests.integration.cli.command import COMMAND, Dvmount

SPEC = """
pipeline: {name: upper}
description: shout
input: {pfs: {repo: images, glob: "/*.txt", name: data}}
transform: {cmd: [sh], stdin: ["echo working on $data; tr a-z A-Z < $data > $PFS_OUT/$(basename $data)"]}
"""


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVMOUNT_TIER", "plain")
    monkeypatch.setenv("DVMOUNT_MODE", "checkout")


def run_job(dvmount: Dvmount) -> str:
    """Make the pipeline and wait for its first job; the job's name."""
    Path("upper.yaml").write_text(SPEC)
    dvmount("create", "pipeline", "-f", "upper.yaml")
    (job,) = dvmount.json("list", "job", "-p", "upper")
    name = f"upper@{job['id']}"
    dvmount("wait", "job", name, "--timeout", "60")
    return name


def test_a_pipeline_from_its_making_to_its_end(dvmount: Dvmount, images: str) -> None:
    name = run_job(dvmount)
    job = dvmount.json("inspect", "job", name)
    assert job["id"] == dvmount.commits()[0]
    assert job["output_commit"] == {"repo": "upper", "id": job["id"]}
    named = "pipeline id state reason started finished datums input output_commit tier executor tracking"
    assert set(named.split()) <= set(job)
    assert job["datums"] == {"total": 1, "success": 1, "skipped": 0, "failed": 0, "recovered": 0}
    assert dvmount("get", "file", "upper@master:/a.txt") == "ALPHA\n"
    (datum,) = dvmount.json("list", "datum", name)
    assert dvmount.json("inspect", "datum", name, datum["id"][:8]) == datum
    assert "\nworking on " in dvmount("logs", "-p", "upper")
    logged = dvmount("logs", "-j", name, "--datum", datum["id"][:6], "-o", "json").splitlines()
    (line,) = [line for line in map(json.loads, logged) if not line["engine"]]
    assert (line["job"], line["datum"], line["attempt"]) == (name, datum["id"], 1)
    assert dvmount("list", "pipeline").split("\t")[:3] == ["upper", "1", "running"]
    assert dvmount.json("inspect", "pipeline", "upper")["spec"]["pipeline"]["name"] == "upper"
    explained = dvmount.json("explain", "pipeline", "-f", "upper.yaml")
    assert [each["reason"] for each in explained] == [f"unchanged since job {job['id']}"]
    rerun = dvmount("rerun", "job", name).strip()
    assert dvmount.json("wait", "job", rerun)["datums"]["success"] == 1
    by_hand = dvmount("run", "pipeline", "upper", "images@master").strip()
    assert dvmount.json("wait", "job", by_hand)["datums"]["skipped"] == 1
    dvmount("stop", "pipeline", "upper")
    assert dvmount.json("list", "pipeline")[0]["state"] == "paused"
    dvmount("start", "pipeline", "upper")
    dvmount("delete", "pipeline", "upper")
    assert dvmount("list", "repo", "--all").split("\t")[0] == "images"
    dvmount("controller", "--stop")


def test_waiting_for_a_job_that_fails_fails(dvmount: Dvmount, images: str) -> None:
    Path("bad.yaml").write_text(SPEC.replace("echo working", "exit 3; echo working") + "datum_tries: 1\n")
    dvmount("create", "pipeline", "-f", "bad.yaml")
    (job,) = dvmount.json("list", "job")
    result = dvmount.run("wait", "job", f"upper@{job['id'][:6]}")
    assert result.exit_code == 1
    assert "ended as failure: 1 of 1 datums failed" in result.stderr
    assert "exit" in dvmount("logs", "-p", "upper", "--failed")


def test_a_log_is_followed_to_the_end_of_its_job(dvmount: Dvmount, images: str) -> None:
    Path("slow.yaml").write_text(SPEC.replace("echo working", "echo one; sleep 1; echo two; echo working"))
    dvmount("create", "pipeline", "-f", "slow.yaml")
    follower = [*COMMAND, "logs", "-p", "upper", "-f"]
    done = subprocess.run(
        follower, env=dict(os.environ), capture_output=True, text=True, timeout=60, check=True
    )
    assert [line for line in done.stdout.splitlines() if not line.startswith("-- ")][:2] == ["one", "two"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("inspect", "pipeline", "none"), "no pipeline 'none'; list pipeline shows those there are"),
        (("list", "job", "-p", "none"), "no pipeline 'none'; list pipeline shows those there are"),
        (("inspect", "job", "none@1234"), "no job none@1234; list job shows those there are"),
        (("stop", "job", "none"), "'none' names no branch or commit; give PIPELINE@ID"),
        (("logs", "-p", "none"), "no pipeline 'none'; list pipeline shows those there are"),
        (("delete", "pipeline", "none"), "no pipeline 'none'; list pipeline shows those there are"),
        (("run", "pipeline", "none"), "no pipeline 'none'; list pipeline shows those there are"),
    ],
)
def test_what_does_not_exist_is_said_in_one_line(
    dvmount: Dvmount, images: str, arguments: tuple[str, ...], message: str
) -> None:
    assert dvmount.error(*arguments) == message


def test_pipelines_are_made_and_awaited_from_python(dvmount: Dvmount, images: str) -> None:
    script = "cat $data > $PFS_OUT/$(basename $data); echo done"
    made = dvm.pipeline("copy", input={"data": "images@master:/*.txt"}, cmd=["sh"], stdin=[script]).create()
    job = made.jobs()[0].wait(timeout=60)
    assert (job.state, job.run_url) == ("success", None)
    assert dvm.job(f"copy@{job.id[:8]}").logs() == "done\n"
    assert job.output == f"copy@{job.id}"
    with dvm.open_store() as store:
        assert store.read("copy", job.id).open("/a.txt").read() == b"alpha\n"
    again = dvm.pipeline("copy").run().wait(timeout=60)
    assert again.info.datums.skipped == 1
    dvm.pipeline("copy", input="images@master:/", cmd=["true"]).update()
    assert dvm.pipeline("copy").jobs()[0].wait(timeout=60).state == "success"
    dvm.pipeline("copy").delete()
    with pytest.raises(NotFound, match="no pipeline 'copy'"):
        dvm.pipeline("copy").run()


def test_the_controller_works_in_the_foreground(dvmount: Dvmount, images: str) -> None:
    Path("upper.yaml").write_text(SPEC)
    dvmount("create", "pipeline", "-f", "upper.yaml")
    dvmount("controller", "--stop")
    command = [sys.executable, "-m", "jupyter_dvmount.cli", "controller", "--once"]
    assert subprocess.run(command, env=dict(os.environ), timeout=60, check=False).returncode == 0
    assert dvmount.json("list", "job")[0]["state"] == "success"
