"""The suites of rows; each has ``run(harness)`` and ``GOALS``."""

from __future__ import annotations

from types import ModuleType

from . import datums, jobs, mounts, paths, remote, store
from .results import Goal

SUITES: dict[str, ModuleType] = {
    "store": store,
    "paths": paths,
    "mounts": mounts,
    "remote": remote,
    "datums": datums,
    "jobs": jobs,
}


def goals() -> list[Goal]:
    """The targets of all suites."""
    return [goal for suite in SUITES.values() for goal in suite.GOALS]
