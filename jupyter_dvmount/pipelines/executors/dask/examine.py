"""Whether a Dask cluster can be used, for ``dvmount doctor``."""

from __future__ import annotations

import asyncio
import os

from jupyter_dvmount.config import Config
from jupyter_dvmount.store import Unavailable

from .cluster import Cluster
from .line import Line
from .messages import Open, introduce

PATIENCE = 3.0
"""Seconds that the scheduler gets to answer."""


def examine(config: Config) -> str:
    """Ask each worker whether it can be used; as `examine_dask`."""
    if not config.dask:
        count = len(os.sched_getaffinity(0))
        return f"Dask, with a cluster of {count} processes on this machine when it is needed"
    return asyncio.run(_examine(config.dask, introduce(config.store)))


async def _examine(address: str, request: Open) -> str:
    cluster = await Cluster.connect(address, owner=f"doctor {os.urandom(4).hex()}", patience=PATIENCE)
    try:
        threads = await cluster.threads()
        lines = [Line(cluster, worker, lambda _line, _report: None) for worker in threads]
        found = await asyncio.gather(*[_problem(line, request) for line in lines])
    finally:
        await cluster.close()
    problems = [each for each in found if each is not None]
    if problems and len(problems) == len(threads):
        raise problems[0]
    detail = f"Dask at {address}: {len(threads)} workers with {sum(threads.values())} threads"
    return detail + (f", {len(problems)} of which cannot be used: {problems[0].message}" if problems else "")


async def _problem(line: Line, request: Open) -> Unavailable | None:
    try:
        await line.open(request)
    except Unavailable as error:
        return Unavailable(f"the Dask worker {line.address} cannot be used: {error.message}", fix=error.fix)
    finally:
        await line.leave()
    return None
