"""What the tests of Dask share: a scheduler, and engines whose batches it gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from jupyter_dvmount.pipelines.executors import open_executor
from tests.integration.pipelines import test_agent
from tests.integration.pipelines.dask_cluster import DaskCluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    """A scheduler; tests start the workers that they need."""
    environment = {"DVMOUNT_TIER": "plain", "DVMOUNT_MODE": "checkout"}
    found = DaskCluster(tmp_path / "dask", 0, environment=environment)
    yield found
    found.close()


@pytest.fixture
def engine_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Makes the engine that uses the scheduler at an address."""
    engines = []

    def make(address: str) -> Any:
        def start(config: Any, secrets: Any, _slots: int) -> Any:
            return open_executor("dask", replace(config, dask=address), secrets)

        monkeypatch.setattr(test_agent, "LocalExecutor", start)
        engines.append(test_agent.Engine(tmp_path))
        return engines[-1]

    yield make
    for each in engines:
        each.close()
