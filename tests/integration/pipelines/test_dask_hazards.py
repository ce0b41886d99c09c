"""What a batch on Dask survives: words lost on the way, and workers that are not as they should be."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from jupyter_dvmount.pipelines.executors import open_executor
from jupyter_dvmount.pipelines.executors.dask import executor as room
from jupyter_dvmount.pipelines.executors.dask import line
from jupyter_dvmount.pipelines.executors.dask.cluster import Cluster
from jupyter_dvmount.pipelines.executors.dask.messages import introduce
from jupyter_dvmount.pipelines.messages import Started
from jupyter_dvmount.pipelines.sandbox.plan import Plan, SecretUse
from jupyter_dvmount.store import Unavailable
from tests.integration.pipelines.dask_cluster import DaskCluster, wait_for
from tests.integration.pipelines.sandboxes import running
from tests.integration.pipelines.test_dask import SECRET, outcomes, unique
from tests.services.proxy import Proxy

LOST = ("failed", "infrastructure")


def test_what_is_said_again_is_heard_once(
    cluster: DaskCluster, engine_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = Cluster.ask, Counter[str]()

    async def without_every_other_answer(self: Cluster, *arguments: Any) -> bytes:
        answer = await whole(self, *arguments)
        kind = type(arguments[2]).__name__
        calls[kind] += 1
        if kind in {"Listen", "Tell"} and calls[kind] % 2:
            raise Unavailable("the answer was lost")
        return answer

    monkeypatch.setattr(Cluster, "ask", without_every_other_answer)
    monkeypatch.setattr(line, "_AGAIN", 0.01)
    cluster.start_worker()
    engine = engine_at(cluster.address)
    for _ in range(3):
        attempts = [engine.attempt() for _ in range(5)]
        assert {each.outcome.state for each in engine.run(Plan(cmd=("true",)), *attempts)} == {"success"}
    begun = Counter(each.attempt for each in engine.events if isinstance(each, Started))
    assert set(begun.values()) == {1}
    assert calls["Tell"] >= 6


def test_a_cancel_is_kept_when_its_worker_dies(cluster: DaskCluster, engine_at: Any) -> None:
    cluster.start_worker()
    engine = engine_at(cluster.address)
    seconds = unique()
    wanted, other = engine.attempt(), engine.attempt()
    plan = Plan(cmd=("sh", "-c", f"trap '' INT TERM; sleep {seconds}"), grace=60.0)
    engine.executor.submit(engine.batch(plan, wanted, other))
    engine.wait_for(lambda: running(seconds))
    engine.executor.cancel(wanted.id)
    cluster.workers[0].kill()
    cluster.start_worker()
    assert outcomes(engine.wait(wanted, other)) == [("cancelled", ""), LOST]


class Tap(Proxy):
    """Keeps what passes between a scheduler and its client."""

    heard = b""

    def _request(self, data: bytes) -> bytes:
        self.heard += data
        return super()._request(data)

    def _answer(self, data: bytes) -> bytes:
        self.heard += data
        return super()._answer(data)


def test_the_scheduler_never_sees_what_is_run_nor_a_secret(cluster: DaskCluster, engine_at: Any) -> None:
    cluster.start_worker()
    tap = Tap(cluster.address)
    engine = engine_at(tap.endpoint.replace("http", "tcp"))
    engine.secrets.create("wandb", {"key": SECRET})
    uses = (SecretUse(name="wandb", key="key", env_var="KEY"),)
    finished = engine.sh(f"test $KEY = {SECRET.decode()} && echo [$KEY]", secrets=uses)
    assert (finished.outcome.state, engine.printed(finished)) == ("success", "[***]\n")
    assert finished.attempt.encode() in tap.heard
    assert SECRET not in tap.heard
    assert b"echo" not in tap.heard
    assert SECRET not in cluster.log.read_bytes()
    tap.kill()


@pytest.mark.parametrize("package", ["jupyter-dvmount", "distributed"])
def test_a_worker_of_another_version_gets_no_work_and_is_named(
    cluster: DaskCluster, engine_at: Any, package: str
) -> None:
    cluster.start_changed_worker(
        f"real = worker.versions(); worker.versions = lambda: real | {{'{package}': '0'}}"
    )
    engine = engine_at(cluster.address)
    attempt = engine.attempt()
    engine.executor.submit(engine.batch(Plan(cmd=("true",)), attempt))
    assert outcomes(engine.wait(attempt)) == [LOST]
    with pytest.raises(Unavailable, match=f"it has {package} 0, and here is") as caught:
        engine.executor.submit(engine.batch(Plan(cmd=("true",)), attempt))
    assert caught.value.fix == "install the same version on both"
    cluster.start_worker()
    engine.wait_for(lambda: engine.executor._trouble is None, seconds=20)
    for _ in range(4):  # the wrong one stays out of it
        assert engine.sh("true").outcome.state == "success"


def test_another_store_at_the_same_place_is_refused(
    cluster: DaskCluster, engine_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "introduce", lambda url: replace(introduce(url), id="other"))
    cluster.start_worker()
    engine = engine_at(cluster.address)
    attempt = engine.attempt()
    engine.executor.submit(engine.batch(Plan(cmd=("true",)), attempt))
    (finished,) = engine.wait(attempt)
    assert "another store is there" in finished.outcome.reason


def test_a_worker_that_was_thought_dead_ends_what_it_ran(
    cluster: DaskCluster, engine_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"SILENCE": 5.0, "HOLD": 0.3, "_ANSWER": 2.0}.items():
        monkeypatch.setattr(line, name, value)
    worker = cluster.start_changed_worker("worker.LEASE = 4.0")
    engine = engine_at(cluster.address)
    seconds = unique()
    attempt = engine.attempt()
    engine.executor.submit(engine.batch(Plan(cmd=("sleep", seconds)), attempt))
    engine.wait_for(lambda: running(seconds))
    os.kill(worker.pid, signal.SIGSTOP)
    assert outcomes(engine.wait(attempt)) == [LOST]
    os.kill(worker.pid, signal.SIGCONT)
    engine.wait_for(lambda: running(seconds) == [], seconds=5)


def test_a_worker_ends_what_an_executor_runs_that_has_gone_without_a_word(
    cluster: DaskCluster, engine_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "HOLD", 0.3)
    cluster.start_changed_worker("worker.LEASE = 2.0")
    engine = engine_at(cluster.address)
    seconds = unique()
    engine.executor.submit(engine.batch(Plan(cmd=("sleep", seconds)), engine.attempt()))
    engine.wait_for(lambda: running(seconds))

    async def say_nothing(self: Cluster, *arguments: Any) -> bytes:
        raise Unavailable("cut off")

    monkeypatch.setattr(Cluster, "ask", say_nothing)
    wait_for(lambda: running(seconds) == [], seconds=10)


def test_the_next_executor_ends_what_its_predecessor_has_left_running(
    cluster: DaskCluster, engine_at: Any
) -> None:
    cluster.start_worker()
    engine = engine_at(cluster.address)
    seconds = unique()
    engine.executor.submit(engine.batch(Plan(cmd=("sleep", seconds)), engine.attempt()))
    engine.wait_for(lambda: running(seconds))
    with open_executor("dask", replace(engine.config, dask=cluster.address), engine.secrets):
        wait_for(lambda: running(seconds) == [], seconds=5)


def test_a_batch_that_ends_without_a_word_has_failed(
    cluster: DaskCluster, engine_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "GRACE", 0.5)
    cluster.start_changed_worker("worker.Session._run = lambda self, begin, box: None")
    engine = engine_at(cluster.address)
    (finished,) = engine.run(Plan(cmd=("true",)), engine.attempt())
    assert outcomes([finished]) == [LOST]
    assert finished.outcome.reason == "the Dask worker has not said what became of it"
