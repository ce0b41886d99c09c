"""The database of jobs in PostgreSQL: what SQLite promises, and that the server may go away."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jupyter_dvmount.pipelines.controller.lease import is_held
from jupyter_dvmount.pipelines.jobs import specs
from jupyter_dvmount.pipelines.jobs.database import Database
from tests.integration.pipelines.lab import Lab
from tests.integration.pipelines.test_controller import CONTROLLER, DYING, UPPER, check_whole, source
from tests.services.postgres import PostgresServer, need_postgres, running_postgres


@pytest.fixture
def schema(postgres: PostgresServer) -> Iterator[str]:
    name = postgres.new_schema()
    yield name
    postgres.remove_schema(name)


@pytest.fixture
def lab(tmp_path: Path, postgres: PostgresServer, schema: str) -> Iterator[Lab]:
    lab = Lab(tmp_path, jobs=jobs_url(postgres, schema))
    yield lab
    lab.close()


def jobs_url(server: PostgresServer, schema: str = "public") -> str:
    return f"postgresql+psycopg://tester@127.0.0.1:{server.port}/postgres?options=-csearch_path%3D{schema}"


def test_pipelines_run(lab: Lab) -> None:
    lab.put("in", a="alpha", b="beta")
    lab.create("upper", UPPER, source("in"))
    lab.create("all", "cat $data/* > $PFS_OUT/all", source("upper", "/"))
    lab.start()
    lab.wait("all")
    job = lab.wait("all", lab.put("in", a=None, b="better"))
    assert job.state == "success"
    assert lab.files("all") == {"/all": "BETTER"}
    (datum,) = lab.pipelines.datums("all", job.id)
    assert (datum.state, datum.attempts) == ("success", 1)
    assert lab.pipelines.inspect("upper").last_job == job.id
    lab.update("upper", f"{UPPER}; true", source("in"))
    assert lab.wait("upper").datums.success == 1
    failing = lab.pipelines.rerun_job("upper", job.id)
    assert lab.wait("upper", failing).datums.success == 1
    lab.pipelines.delete("all")
    assert [each.name for each in lab.pipelines.all()] == ["upper"]


def test_writers_wait_for_each_other_before_they_begin(lab: Lab) -> None:
    """Each changes two rows, in the order that would have the other wait for ever."""
    lab.put("in", a="alpha")
    names = ("first", "second")
    for name in names:
        lab.create(name, UPPER, source("in"))
    apart = threading.Barrier(2)

    def change(order: Iterable[str]) -> None:
        with Database(lab.config.jobs, lab.store.id) as database:
            apart.wait()
            for _ in range(20):
                with database.write(epoch=0) as connection:
                    for name in order:
                        specs.pause(connection, name, paused=True)
                        time.sleep(0.002)

    with ThreadPoolExecutor() as pool:
        for future in [pool.submit(change, order) for order in (names, names[::-1])]:
            future.result(60)


def test_processes_that_make_the_tables_at_once_all_succeed(postgres: PostgresServer, schema: str) -> None:
    apart = threading.Barrier(8)

    def make(_number: int) -> None:
        apart.wait()
        Database(jobs_url(postgres, schema), "store").close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(8)))


def test_a_second_controller_does_not_begin_and_a_killed_ones_lease_is_free(lab: Lab) -> None:
    lab.put("in", a="alpha")
    lab.create("upper", UPPER, source("in"))
    lab.start()
    lab.wait("upper")
    command = [*CONTROLLER, "--store", lab.config.store]
    second = subprocess.run(command, env=lab.environment, capture_output=True, check=False)
    assert b"a controller is running already" in second.stderr
    lab.kill()
    lab.until(lambda: not is_held(lab.database), seconds=5)
    lab.start()
    assert lab.wait("upper", lab.put("in", a="beta")).state == "success"


def test_a_controller_killed_at_some_boundaries_is_gone_on_from(lab: Lab) -> None:
    lab.put("in", a="alpha", b="beta")
    lab.create("upper", UPPER, source("in"))
    deaths = 0
    for deadline in range(2, 200, 6):
        process = lab.start(DYING, DEADLINE=str(deadline), PYTHONPATH=str(Path.cwd()))
        status = process.wait(60)
        if status == 0:
            break
        assert status == -signal.SIGKILL, lab.log()
        deaths += 1
    lab.process = None
    assert deaths > 1
    check_whole(lab)
    assert lab.files("upper") == {"/a": "ALPHA", "/b": "BETA"}


def test_a_server_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    need_postgres()
    with running_postgres() as server:
        lab = Lab(tmp_path, jobs=jobs_url(server))
        lab.put("in", **{str(number): str(number) for number in range(12)})
        lab.create("upper", f"sleep 0.1; {UPPER}", source("in"), datum_set_spec={"number": 1})
        lab.start()
        lab.until(lambda: lab.newest("upper").datums.success > 1)
        server.stop(signal.SIGINT)
        assert lab.process is not None
        server.start()
        lab.until(lambda: is_held(lab.database))  # by the same controller
        job = lab.wait("upper")
        assert (job.state, job.datums.success) == ("success", 12)
        check_whole(lab)
        lab.close()


def test_a_missing_driver_or_server_is_one_line(tmp_path: Path, lab: Lab) -> None:
    arguments = ["--store", lab.config.store, "list", "pipeline"]
    environment = {**lab.environment, "DVMOUNT_JOBS": "postgresql+psycopg://tester@127.0.0.1:1/postgres"}
    command = [sys.executable, "-m", "jupyter_dvmount.cli", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: cannot open the database of jobs postgresql+psycopg://")
