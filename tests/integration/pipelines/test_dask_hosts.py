"""Pipelines on Dask with a worker on another host (a network namespace), and data in S3 and PostgreSQL."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_dvmount.config import Config
from jupyter_dvmount.pipelines.executors import open_executor
from jupyter_dvmount.pipelines.executors.dask import line
from jupyter_dvmount.pipelines.sandbox.plan import Plan
from jupyter_dvmount.store import open_store
from tests.integration.pipelines import test_agent
from tests.integration.pipelines.dask_cluster import DaskCluster
from tests.integration.pipelines.sandboxes import running
from tests.integration.pipelines.test_dask import outcomes, unique
from tests.services.postgres import PostgresServer
from tests.services.proxy import Proxy
from tests.services.s3 import S3Server


class Host:
    """A network namespace with one link to this one."""

    def __init__(self) -> None:
        self.name = f"dvmount-{os.urandom(4).hex()}"
        net = f"10.213.{os.urandom(1)[0]}"
        self.here, self.there = f"{net}.1", f"{net}.2"
        self._link = self.name[:15]
        if os.geteuid() != 0 or not _works(f"ip netns add {self.name}"):
            pytest.skip("no network namespace can be made here: it takes root, and iproute2")
        for command in (
            f"ip link add {self._link} type veth peer name eth0 netns {self.name}",
            f"ip addr add {self.here}/30 dev {self._link}",
            f"ip link set {self._link} up",
            f"ip -n {self.name} addr add {self.there}/30 dev eth0",
            f"ip -n {self.name} link set eth0 up",
            f"ip -n {self.name} link set lo up",
        ):
            subprocess.run(command.split(), check=True, capture_output=True)

    def cut(self) -> None:
        subprocess.run(["ip", "link", "set", self._link, "down"], check=True)

    def mend(self) -> None:
        subprocess.run(["ip", "link", "set", self._link, "up"], check=True)

    def close(self) -> None:
        subprocess.run(["ip", "netns", "del", self.name], check=False)


def _works(command: str) -> bool:
    try:
        return subprocess.run(command.split(), capture_output=True, check=False).returncode == 0
    except OSError:
        return False


class Door(Proxy):
    """A way to a server of this host from the other one."""

    def __init__(self, server: str, host: str) -> None:
        self._host = host
        super().__init__(server)

    @property
    def place(self) -> str:
        return f"{self._host}:{self._port}"

    def revive(self) -> None:
        self._listener = socket.create_server((self._host, self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()


@pytest.fixture
def host() -> Iterator[Host]:
    found = Host()
    yield found
    found.close()


@pytest.fixture
def engine(
    host: Host, tmp_path: Path, s3: S3Server, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """An engine whose only worker is on the other host; silence is noticed soon."""
    for name, value in {"SILENCE": 6.0, "HOLD": 0.3, "_ANSWER": 2.0}.items():
        monkeypatch.setattr(line, name, value)
    bucket, schema = s3.new_bucket(), postgres.new_schema()
    doors = [Door(s3.endpoint, host.here), Door(f"tcp://127.0.0.1:{postgres.port}", host.here)]
    catalog = postgres.url(schema=schema).replace(f"127.0.0.1:{postgres.port}", doors[1].place)
    url = f"s3://{bucket}/data?endpoint=http://{doors[0].place}&catalog={catalog}"
    environment = {"DVMOUNT_TIER": "plain", "DVMOUNT_MODE": "checkout", "XDG_CACHE_HOME": str(tmp_path / "c")}
    cluster = DaskCluster(tmp_path / "dask", 0, host.here, ["ip", "netns", "exec", host.name], environment)
    file = tmp_path / "lease.py"
    file.write_text("from jupyter_dvmount.pipelines.executors.dask import worker\nworker.LEASE = 4.0\n")
    cluster.start_worker("--preload", str(file), host=host.there)

    def start(config: Config, secrets: Any, _slots: int) -> Any:
        values = {"store": url, "state": config.state, "root": config.root}
        return open_executor("dask", Config(**values, dask=cluster.address), secrets)

    monkeypatch.setattr(test_agent, "LocalExecutor", start)
    monkeypatch.setattr(test_agent, "open_store", lambda _: open_store(url))
    found = test_agent.Engine(tmp_path)
    found.cluster = cluster
    yield found
    found.executor.close()
    found.store.close()
    cluster.close()
    for door in doors:
        door.kill()
    postgres.remove_schema(schema)
    s3.remove_bucket(bucket)


def test_a_worker_on_another_host_reads_and_stores_by_the_url_of_the_store(engine: Any) -> None:
    finished = engine.sh("cat $images > $PFS_OUT/copy", engine.input("/a.txt"))
    assert engine.files(finished) == {"/copy": "content of a\n"}


def test_a_cut_network_is_an_infrastructure_failure_and_nothing_runs_on_there(
    engine: Any, host: Host
) -> None:
    seconds = unique()
    attempt = engine.attempt()
    engine.executor.submit(engine.batch(Plan(cmd=("sleep", seconds)), attempt))
    engine.wait_for(lambda: running(seconds), seconds=30)
    host.cut()
    engine.wait_for(lambda: running(seconds) == [], seconds=15)
    assert outcomes(engine.wait(attempt)) == [("failed", "infrastructure")]
    host.mend()
    engine.cluster.start_worker(host=host.there)
    engine.wait_for(lambda: engine.executor._lines, seconds=60)
    assert engine.sh("true").outcome.state == "success"
