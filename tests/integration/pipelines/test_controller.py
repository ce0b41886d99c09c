"""What the controller promises whatever happens to it: one controller, nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import update

from jupyter_dvmount.pipelines.controller.lease import is_held
from jupyter_dvmount.pipelines.jobs.database import Database
from jupyter_dvmount.pipelines.jobs.schema import about
from jupyter_dvmount.pipelines.spec import parse
from jupyter_dvmount.store import Conflict, Unavailable
from tests.integration.pipelines.lab import CONTROLLER, Lab
from tests.integration.pipelines.sandboxes import need, running
from tests.services.s3 import S3Server

UPPER = "tr a-z A-Z < $data > $PFS_OUT/$(basename $data)"
DVMOUNT = [sys.executable, "-m", "jupyter_dvmount.cli"]
ENSURE = """
import sys
from jupyter_dvmount.config import load_config
from jupyter_dvmount.pipelines.service import Pipelines
from jupyter_dvmount.store import open_store
config = load_config(store=sys.argv[1])
Pipelines(config, open_store(config.store)).ensure_controller()
"""
DYING = [sys.executable, "-m", "tests.integration.pipelines.dying"]


def source(repo: str, glob: str = "/*") -> dict[str, object]:
    return {"pfs": {"repo": repo, "glob": glob, "name": "data"}}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.close()


def run(lab: Lab, *command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, env=lab.environment, capture_output=True, check=False)


def check_whole(lab: Lab) -> None:
    """Nothing is half done or done twice."""
    assert list(lab.store.fsck(full=True)) == []
    jobs = [*lab.pipelines.jobs()]
    assert {job.state for job in jobs} == {"success"}
    for pipeline in {job.pipeline for job in jobs}:
        commits = [*lab.store.list_commits(pipeline)]
        assert [each.id for each in commits] == [job.id for job in jobs if job.pipeline == pipeline]
        assert {(each.state, each.error, each.origin) for each in commits} == {("finished", "", "auto")}


def test_a_controller_killed_at_any_boundary_is_gone_on_from_by_the_next_one(lab: Lab) -> None:
    lab.put("in", a="alpha", b="beta")
    lab.create("upper", UPPER, source("in"))
    lab.create("all", "cat $data/* > $PFS_OUT/all", source("upper", "/"))
    deaths = 0
    for first, changes in enumerate(({}, {"a": None, "b": "better", "c": "gamma"}), start=1):
        if changes:
            lab.put("in", **changes)
        for deadline in range(first, 200, 2):
            process = lab.start(DYING, DEADLINE=str(deadline), PYTHONPATH=str(Path.cwd()))
            status = process.wait(60)
            if status == 0:
                break
            assert status == -signal.SIGKILL, lab.log()
            deaths += 1
    lab.process = None
    assert deaths > 15
    check_whole(lab)
    assert lab.files("upper") == {"/b": "BETTER", "/c": "GAMMA"}
    assert lab.files("all") == {"/all": "BETTERGAMMA"}
    assert len([*lab.pipelines.jobs()]) == 4


def test_a_killed_controller_takes_what_it_ran_with_it_and_only_that_runs_again(lab: Lab) -> None:
    count, slow = 8, "7"
    lab.put("in", **{str(number): str(number) for number in range(count)})
    trace = lab.root / "trace"
    script = (
        f"n=$(basename $data); echo $n >> '{trace}'; cp $data $PFS_OUT/$n;"
        f" if [ $n = {slow} ] && [ ! -e '{lab.root}/go' ]; then sleep 613.{os.getpid()}; fi"
    )
    lab.create("slow", script, source("in"), datum_set_spec={"number": 1})
    lab.start()
    lab.until(lambda: lab.newest("slow").datums.success == count - 1)
    lab.until(lambda: running(f"613.{os.getpid()}"))
    lab.kill()
    lab.until(lambda: not running(f"613.{os.getpid()}"), seconds=5)
    (lab.root / "go").touch()
    lab.start()
    assert lab.wait("slow").state == "success"
    assert Counter(trace.read_text().split()) == {**{str(number): 1 for number in range(count)}, slow: 2}
    datums = {
        each.inputs[0].path: each.attempts for each in lab.pipelines.datums("slow", lab.newest("slow").id)
    }
    assert datums[f"/{slow}"] == 1  # an attempt that nobody saw the end of does not count
    check_whole(lab)


def test_a_second_controller_does_not_begin(lab: Lab) -> None:
    lab.put("in", a="alpha")
    lab.start()
    first = lab.process
    second = run(lab, *CONTROLLER, "--store", lab.config.store)
    assert b"a controller is running already" in second.stderr
    command = run(lab, *DVMOUNT, "--store", lab.config.store, "controller")
    assert command.returncode == 1
    assert command.stderr.startswith(b"error: a controller is running already")
    lab.create("upper", UPPER, source("in"))
    assert lab.wait("upper").state == "success"
    assert first is lab.process
    assert first is not None
    assert first.poll() is None


def test_a_controller_that_was_taken_over_from_writes_nothing_any_more(lab: Lab) -> None:
    lab.put("in", a="alpha")
    epoch = lab.database.begin_epoch()
    lab.database.begin_epoch()
    with pytest.raises(Conflict, match="another controller has taken over"), lab.database.write(epoch=epoch):
        raise AssertionError
    process = lab.start()
    lab.create("upper", UPPER, source("in"))
    lab.wait("upper")
    lab.database.begin_epoch()
    lab.put("in", a="beta")
    assert process.wait(10) == 0
    lab.process = None
    assert "another controller has taken over" in lab.log()
    lab.start()
    lab.until(lambda: len([*lab.pipelines.jobs("upper")]) == 2)
    assert lab.wait("upper").state == "success"
    check_whole(lab)


def test_many_are_started_at_once_and_one_remains(lab: Lab) -> None:
    lab.put("in", a="alpha")
    lab.create("upper", UPPER, source("in"))
    starters = [
        subprocess.Popen([sys.executable, "-c", ENSURE, lab.config.store], env=lab.environment)
        for _ in range(3)
    ]
    assert [each.wait(30) for each in starters] == [0, 0, 0]
    assert lab.wait("upper").state == "success"  # it has outlived its starters
    module = "jupyter_dvmount.pipelines.controller"
    lab.until(lambda: len([each for each in lab.descendants() if module in each.cmdline()]) == 1)
    check_whole(lab)


def test_data_that_came_while_nobody_looked_is_made_up_for(lab: Lab) -> None:
    lab.put("in", a="alpha")
    lab.create("upper", UPPER, source("in"))
    lab.once()
    commits = [lab.put("in", a=text) for text in ("beta", "gamma")]
    assert len([*lab.pipelines.jobs()]) == 1
    lab.once()
    assert [job.id for job in lab.pipelines.jobs()][:2] == commits[::-1]
    assert lab.files("upper", commits[0]) == {"/a": "BETA"}
    check_whole(lab)
    assert not is_held(lab.database)


def test_a_store_that_is_away_for_a_while_is_waited_for(lab: Lab) -> None:
    lab.put("in", a="alpha")
    lab.create("upper", UPPER, source("in"))
    lab.start()
    lab.wait("upper")
    commit = lab.put("in", a="beta")
    store, away = lab.root / "store", lab.root / "away"
    store.rename(away)
    time.sleep(1.5)
    assert lab.process is not None
    assert lab.process.poll() is None
    away.rename(store)
    lab.until(lambda: lab.newest("upper").id == commit)
    assert lab.wait("upper").state == "success"
    assert lab.files("upper") == {"/a": "BETA"}


def test_a_database_that_is_locked_for_a_while_is_waited_for(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.put("in", **{str(number): str(number) for number in range(20)})
    lab.create("upper", UPPER, source("in"))
    lab.start()
    lab.until(lambda: lab.newest("upper").datums.success > 0)
    with lab.database.write() as connection:
        connection.execute(update(about).values(wishes=about.c.wishes))
        time.sleep(1.5)
    assert lab.wait("upper").state == "success"
    check_whole(lab)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small tmpfs: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def fill_up(ballast: Path) -> None:
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_a_full_disk_of_store_and_database_is_waited_for(small_disk: Path, tmp_path: Path) -> None:
    lab = Lab(small_disk, state=tmp_path / "state", jobs=f"sqlite:///{small_disk}/jobs.sqlite")
    try:
        lab.put("in", **{str(number): str(number) for number in range(8)})
        lab.create("upper", f"sleep 0.2; {UPPER}", source("in"), datum_set_spec={"number": 1})
        lab.start()
        lab.until(lambda: lab.newest("upper").datums.success > 1)
        ballast = small_disk / "ballast"
        fill_up(ballast)
        lab.until(lambda: "disk full" in lab.log())
        time.sleep(0.5)
        assert lab.process is not None
        assert lab.process.poll() is None
        ballast.unlink()
        job = lab.wait("upper", seconds=60)
        assert (job.state, job.datums.success) == ("success", 8)
        check_whole(lab)
    finally:
        lab.close()


def test_an_agent_that_is_killed_costs_no_try(lab: Lab) -> None:
    lab.put("in", a="alpha")
    marker = f"614.{os.getpid()}"
    script = f"test -e '{lab.root}/go' || sleep {marker}; {UPPER}"
    lab.create("upper", script, source("in"), datum_tries=1)
    lab.start()
    lab.until(lambda: running(marker))
    (lab.root / "go").touch()
    for each in lab.descendants():
        if "jupyter_dvmount.pipelines.agent" in each.cmdline():
            each.kill()
    job = lab.wait("upper")
    assert job.state == "success"
    (datum,) = lab.pipelines.datums("upper", job.id)
    assert datum.attempts == 2
    assert running(marker) == []


def test_a_repository_deleted_under_a_running_job_ends_the_job_with_that_reason(lab: Lab) -> None:
    lab.put("in", a="alpha")
    lab.create("upper", f"sleep 0.5; {UPPER}", source("in"))
    lab.start()
    lab.until(lambda: lab.newest("upper").state == "running")
    lab.store.delete_repo("upper", force=True)
    job = lab.wait("upper")
    assert job.state == "failure"
    assert "no repo 'upper'" in job.reason


def test_an_ended_controller_leaves_no_process(lab: Lab) -> None:
    lab.put("in", a="alpha")
    marker = f"615.{os.getpid()}"
    lab.create("slow", f"sleep {marker}", source("in"))
    process = lab.start()
    lab.until(lambda: running(marker))
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert running(marker) == []
    assert lab.newest("slow").state == "running"  # the next one goes on
    lab.process = None


def test_pipelines_run_in_a_real_sandbox(tmp_path: Path) -> None:
    need("bubblewrap")
    lab = Lab(tmp_path, tier="bubblewrap")
    lab.put("in", a="alpha")
    lab.create("upper", "tr a-z A-Z < /pfs/data/a > /pfs/out/a", source("in"))
    lab.once()
    assert lab.newest("upper").tier == "bubblewrap"
    assert lab.files("upper") == {"/a": "ALPHA"}
    lab.close()


def test_a_database_of_another_version_or_store_is_refused(lab: Lab) -> None:
    with pytest.raises(Conflict, match="belongs to another store"):
        Database(str(lab.database.engine.url), "0" * 32)
    with lab.database.write() as connection:
        connection.execute(update(about).values(version=99))
    with pytest.raises(Unavailable, match="has version 99"):
        Database(str(lab.database.engine.url), lab.store.id)
    with lab.database.write() as connection:
        connection.execute(update(about).values(version=1))


def test_output_goes_to_s3_too(lab: Lab, s3: S3Server, bucket: str) -> None:
    lab.put("in", a__b="alpha")
    script = "mkdir $PFS_OUT/d; cat $data/b > $PFS_OUT/d/b"
    lab.create("export", script, source("in"), egress={"URL": f"s3://{bucket}/exported"})
    missing = lab.spec("missing", script, source("in"), egress={"URL": f"s3://{bucket}-missing/x"})
    lab.pipelines.create([each.spec for each in parse(missing)])
    keys = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    lab.start(**{**keys, "AWS_ENDPOINT_URL": s3.endpoint})
    assert lab.wait("export").state == "success"
    assert s3.client().get_object(Bucket=bucket, Key="exported/d/b")["Body"].read() == b"alpha"
    job = lab.wait("missing")
    assert job.state == "failure"
    assert job.reason.startswith(f"egress: s3://{bucket}-missing: ")
