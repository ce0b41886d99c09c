"""What pipelines promise when their datums run on Dask, with real controllers."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from jupyter_dvmount.doctor import diagnose
from jupyter_dvmount.mounting.model import Check
from jupyter_dvmount.pipelines.executors import open_executor
from jupyter_dvmount.pipelines.executors.dask import open_dask
from jupyter_dvmount.pipelines.secrets import SecretStore
from jupyter_dvmount.store import Invalid
from tests.integration.pipelines.dask_cluster import DaskCluster, wait_for
from tests.integration.pipelines.lab import Lab
from tests.integration.pipelines.test_controller import UPPER, check_whole, source

LabOn = Callable[[str], Lab]


@pytest.fixture
def lab_on(tmp_path: Path) -> Iterator[LabOn]:
    """Open labs whose datums run on the scheduler at an address, and end them whatever the test finds."""
    with ExitStack() as stack:
        yield lambda address: stack.enter_context(
            closing(Lab(tmp_path / "lab", executor="dask", dask=address))
        )


def test_a_cluster_of_this_machine_is_started_for_a_job_and_leaves_nothing(lab_on: LabOn) -> None:
    lab = lab_on("")
    lab.put("in", **{f"file{number}": f"text {number}" for number in range(20)})
    lab.create("upper", UPPER, source("in"))
    lab.create("all", "cat $data/* > $PFS_OUT/all", source("upper", "/"))
    lab.start()
    job = lab.wait("all", seconds=60)
    assert (job.state, job.executor) == ("success", "dask")
    assert lab.files("all")["/all"].count("TEXT") == 20
    assert lab.newest("upper").datums.success == 20
    check_whole(lab)
    lab.kill()
    lab.until(lambda: lab.descendants() == [], seconds=10)


def test_a_job_says_that_it_waits_for_a_scheduler_and_goes_on_when_it_is_there(
    cluster: DaskCluster, lab_on: LabOn
) -> None:
    cluster.scheduler.kill()
    cluster.scheduler.wait()
    lab = lab_on(cluster.address)
    lab.put("in", a="alpha")
    lab.create("upper", UPPER, source("in"))
    lab.start()
    lab.until(lambda: "no Dask scheduler at" in lab.newest("upper").reason)
    cluster.restart_scheduler()
    cluster.start_worker()
    job = lab.wait("upper", seconds=60)
    assert (job.state, job.reason) == ("success", "")


def test_a_job_that_waits_for_a_scheduler_can_be_stopped(lab_on: LabOn) -> None:
    lab = lab_on("tcp://127.0.0.1:9")
    lab.put("in", a="alpha")
    lab.create("upper", UPPER, source("in"))
    lab.start()
    lab.until(lambda: "no Dask scheduler at tcp://127.0.0.1:9" in lab.newest("upper").reason)
    lab.pipelines.stop_job("upper", lab.newest("upper").id)
    assert lab.wait("upper", seconds=3).state == "killed"


def test_a_missing_package_is_named_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path)
    for name in [each for each in sys.modules if each.startswith(open_dask.__module__ + ".")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(Invalid, match="the executor 'dask' needs the package distributed") as caught:
        open_executor("dask", lab.config, SecretStore(tmp_path / "secrets"))
    assert caught.value.fix == "pip install 'jupyter-dvmount[dask]'"
    lab.close()


def test_a_store_that_workers_do_not_see_is_said_once_with_what_to_do(
    cluster: DaskCluster, lab_on: LabOn
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may hide a directory from a worker")
    lab = lab_on(cluster.address)
    lab.put("in", a="alpha")
    lab.create("upper", UPPER, source("in"))
    cluster.prefix = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs none {lab.root} && exec "$@"', "sh"]
    cluster.start_worker()
    lab.start()
    lab.until(lambda: "cannot use the store" in lab.newest("upper").reason, seconds=30)
    reason = lab.newest("upper").reason
    assert reason.startswith("waiting: the Dask worker tcp://127.0.0.1:")
    assert "use a store that workers reach by its URL" in reason
    assert lab.log().count("cannot use the store") <= 2
    cluster.prefix = []
    cluster.start_worker()
    assert lab.wait("upper", seconds=30).state == "success"
    wait_for(lambda: lab.newest("upper").reason == "")


def test_the_doctor_asks_the_workers(
    cluster: DaskCluster, lab_on: LabOn, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = lab_on(cluster.address)
    lab.put("in", a="alpha")
    cluster.start_worker()
    cluster.start_changed_worker("worker.versions = lambda: {'jupyter-dvmount': '0', 'distributed': '0'}")
    wait_for(lambda: "2 workers with 2 threads, 1 of which cannot be used" in executor_row(lab).detail)
    assert executor_row(lab).status == "ok"
    cluster.scheduler.kill()
    monkeypatch.setattr("jupyter_dvmount.pipelines.executors.dask.examine.PATIENCE", 0.5)
    found = executor_row(lab)
    assert (found.status, found.detail.partition(":")[0]) == ("missing", "no Dask scheduler at tcp")
    assert found.fix == "start it (dask scheduler), or set DVMOUNT_DASK to its address"


def executor_row(lab: Lab) -> Check:
    (row,) = (each for each in diagnose(lab.config, lab.store) if each.id == "executor")
    return row
