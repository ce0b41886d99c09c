"""What a batch promises on a Dask cluster: the same as on this machine, whatever dies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_dvmount.pipelines.sandbox.plan import Plan, SecretUse
from jupyter_dvmount.store import Unavailable
from tests.integration.pipelines import test_agent
from tests.integration.pipelines.dask_cluster import DaskCluster
from tests.integration.pipelines.sandboxes import running

SECRET = b"dask-0123456789abcdefghij"


@pytest.fixture
def engine(cluster: DaskCluster, engine_at: Callable[[str], Any]) -> Any:
    for _ in range(2):
        cluster.start_worker()
    return engine_at(cluster.address)


def unique() -> str:
    return f"604.{int.from_bytes(os.urandom(3), 'big') + 1}"


def outcomes(finished: list[Any]) -> list[tuple[str, str]]:
    return [(each.outcome.state, each.outcome.failure) for each in finished]


def test_data_outputs_and_secrets_are_as_on_this_machine(engine: Any, cluster: DaskCluster) -> None:
    engine.secrets.create("wandb", {"key": SECRET})
    uses = (SecretUse(name="wandb", key="key", env_var="KEY"),)
    finished = engine.sh("cat $images > $PFS_OUT/copy; echo [$KEY]", engine.input("/a.txt"), secrets=uses)
    assert engine.files(finished) == {"/copy": "content of a\n"}
    assert engine.printed(finished) == "[***]\n"
    attempts = [engine.attempt(engine.input("/b.txt")) for _ in range(20)]
    assert {each.outcome.state for each in engine.run(Plan(cmd=("true",)), *attempts)} == {"success"}
    assert engine.sh("exit 3").outcome.failure == "user"
    assert SECRET not in cluster.log.read_bytes()


def test_a_cancel_ends_the_whole_tree_within_a_second_and_spares_the_rest(engine: Any) -> None:
    seconds = unique()
    first, second = engine.attempt(), engine.attempt(engine.input("/a.txt"))
    script = f'test -n "$images" || {{ setsid sleep {seconds} & sleep {seconds}; }}'
    engine.executor.submit(engine.batch(Plan(cmd=("sh", "-c", script), grace=0.0), first, second))
    engine.wait_for(lambda: len(running(seconds)) >= 2)
    begin = time.monotonic()
    engine.executor.cancel(first.id)
    engine.wait_for(lambda: running(seconds) == [], seconds=5)
    assert time.monotonic() - begin < 1
    assert outcomes(engine.wait(first, second)) == [("cancelled", ""), ("success", "")]


def test_a_killed_worker_is_an_infrastructure_failure_and_leaves_nothing_running(
    engine: Any, cluster: DaskCluster
) -> None:
    seconds = unique()
    done, poison, rest = engine.attempt(), engine.attempt(engine.input("/a.txt")), engine.attempt()
    script = f'echo ran; test -z "$images" || {{ setsid sleep {seconds} & sleep {seconds}; }}'
    engine.executor.submit(engine.batch(Plan(cmd=("sh", "-c", script)), done, poison, rest))
    engine.wait_for(lambda: len(running(seconds)) >= 2)
    engine.wait(done)
    cluster.holder(seconds).send_signal(signal.SIGKILL)
    lost = ("failed", "infrastructure")
    assert outcomes(engine.wait(done, poison, rest)) == [("success", ""), lost, lost]
    engine.wait_for(lambda: running(seconds) == [], seconds=3)
    ids = [event.attempt for event in engine.events if isinstance(event, test_agent.Started)]
    assert ids == [done.id, poison.id]  # the other worker has begun none of it
    assert engine.sh("true").outcome.state == "success"


def test_a_killed_scheduler_is_an_infrastructure_failure_and_is_connected_to_again(
    engine: Any, cluster: DaskCluster
) -> None:
    seconds = unique()
    attempt = engine.attempt()
    script = f"setsid sleep {seconds} & sleep {seconds}"
    engine.executor.submit(engine.batch(Plan(cmd=("sh", "-c", script)), attempt))
    engine.wait_for(lambda: len(running(seconds)) >= 2)
    cluster.scheduler.kill()
    cluster.scheduler.wait()
    assert outcomes(engine.wait(attempt)) == [("failed", "infrastructure")]
    engine.wait_for(lambda: running(seconds) == [])
    with pytest.raises(Unavailable, match="the Dask scheduler"):
        engine.executor.submit(engine.batch(Plan(cmd=("true",)), engine.attempt()))
    cluster.restart_scheduler()
    cluster.start_worker()
    engine.wait_for(lambda: engine.executor._lines, seconds=20)
    assert engine.sh("true").outcome.state == "success"


def test_nothing_runs_on_when_the_executor_is_closed(engine: Any) -> None:
    seconds = unique()
    engine.executor.submit(engine.batch(Plan(cmd=("sleep", seconds)), engine.attempt()))
    engine.wait_for(lambda: running(seconds))
    engine.executor.close()
    engine.wait_for(lambda: running(seconds) == [], seconds=5)
