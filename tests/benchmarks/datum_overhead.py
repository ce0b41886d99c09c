"""What a datum costs beyond its code: ``true`` as command, in each tier, on warm agents.

``python tests/benchmarks/datum_overhead.py``: prints JSON. ``overhead_ms`` is the median time of one attempt
after the other on one agent, ``rate`` the attempts a second of a batch on each of two agents, ``bare``
that of subprocess.run in milliseconds.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from jupyter_dvmount.config import Config
from jupyter_dvmount.pipelines.executors import Executor
from jupyter_dvmount.pipelines.executors.local import LocalExecutor
from jupyter_dvmount.pipelines.messages import Attempt, Batch, Finished
from jupyter_dvmount.pipelines.model import Datum, DatumInput
from jupyter_dvmount.pipelines.sandbox.plan import Plan, Tier
from jupyter_dvmount.pipelines.sandbox.tiers import Tiers
from jupyter_dvmount.pipelines.secrets import SecretStore
from jupyter_dvmount.store import StoreError, open_store
from tests.integration.pipelines.sandboxes import IMAGE, make_image

ONE_BY_ONE = {"plain": 100, "bubblewrap": 100, "image": 10}
BATCH = {"plain": 300, "bubblewrap": 200, "image": 10}
ROUNDS = 3


def main() -> None:
    results: dict[str, Any] = {"bare": bare()}
    tiers = Tiers()
    for tier in ("plain", "bubblewrap", "image"):
        try:
            tiers.get(tier)
        except StoreError as error:
            results[tier] = f"not here: {error.message}"
            continue
        if tier == "image":
            make_image()
        os.environ["DVMOUNT_TIER"] = tier
        rounds = [measure(tier) for _ in range(ROUNDS)]
        results[tier] = {
            "overhead_ms": round(min(overhead for overhead, _ in rounds), 2),
            "rate": round(max(rate for _, rate in rounds)),
        }
    print(json.dumps(results, indent=2))  # noqa: T201


def bare() -> float:
    times = []
    for _ in range(100):
        begin = time.perf_counter()
        subprocess.run(["true"], check=True)
        times.append(time.perf_counter() - begin)
    return round(statistics.median(times) * 1000, 2)


def measure(tier: Tier) -> tuple[float, float]:
    """(median milliseconds of an attempt, attempts a second on two agents)."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        config = Config(store=(root / "store").as_uri(), state=root / "state", root=root / "root")
        datum = make_datum(config)
        with LocalExecutor(config, SecretStore(root / "secrets"), 2) as executor:
            run(executor, [batch(tier, datum, 3), batch(tier, datum, 3)])  # warm
            begin = time.perf_counter()
            run(executor, [batch(tier, datum, BATCH[tier]), batch(tier, datum, BATCH[tier])])
            rate = 2 * BATCH[tier] / (time.perf_counter() - begin)
        with LocalExecutor(config, SecretStore(root / "secrets"), 1) as executor:
            run(executor, [batch(tier, datum, 3)])
            times = []
            for _ in range(ONE_BY_ONE[tier]):
                begin = time.perf_counter()
                run(executor, [batch(tier, datum, 1)])
                times.append(time.perf_counter() - begin)
        return statistics.median(times) * 1000, rate


def make_datum(config: Config) -> Datum:
    """A datum of one small file in a new store."""
    with open_store(config.store) as store:
        store.create_repo("images")
        store.create_repo("outputs")
        with store.modify("images", "master") as writer:
            writer.put("/a.txt", b"a")
    values = {"name": "images", "repo": "images", "branch": "master", "commit": writer.commit.id}
    return Datum("0" * 64, (DatumInput(**values, path="/a.txt", type="file", hash="", size=1),))


def batch(tier: Tier, datum: Datum, count: int) -> Batch:
    """``true`` as command, so many times."""
    plan = Plan(cmd=("true",), image=IMAGE if tier == "image" else "")
    attempts = tuple(Attempt(id=os.urandom(8).hex(), datum=datum) for _ in range(count))
    return Batch(
        job="0" * 32,
        output_commit="0" * 32,
        pipeline="p",
        plan=plan,
        output_repo="outputs",
        attempts=attempts,
    )


def run(executor: Executor, batches: list[Batch]) -> None:
    """Run batches to their end, as many at a time as the executor takes."""
    waiting = {attempt.id for batch in batches for attempt in batch.attempts}
    left = [*batches]
    while waiting:
        while left and executor.room:
            executor.submit(left.pop())
        for event in executor.events(30):
            if isinstance(event, Finished):
                assert event.outcome.state == "success", event
                waiting.discard(event.attempt)


if __name__ == "__main__":
    main()
