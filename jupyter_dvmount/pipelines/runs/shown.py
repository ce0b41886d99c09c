"""A job's runs for people: what the trackers' own files tell, with curves, and the links that are known."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from jupyter_dvmount.pipelines.jobs.records import RunStatus, Tracked
from jupyter_dvmount.tracking import Series, tracker
from jupyter_dvmount.tracking.model import RunState

from .expected import Tracks
from .files import RunFiles
from .seen import FoundRun, find_runs, status_of

SHOWN = 100
"""Runs of a job that are shown, the newest."""
CURVES = 10
"""Runs with curves, the newest: reading those of one takes up to seconds."""
POINTS = 500
"""Most values of a metric."""


class ShownRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a job as this machine knows it.

    Parameters
    ----------
    run_id, name, project
        As the code chose them.
    datum, attempt
        Whose it is.
    state
        What the tracker thinks of it; the job's own state is what counts.
    status
        ``offline`` if it is only on this machine, else ``confirmed``.
    url
        Its page; empty where there is none, or none that is known for sure.
    offline, synced
        Whether it was logged without a server, and whether it has been uploaded since.
    config, summary
        What was configured, and the last value of each metric.
    history
        The metrics as curves; of the newest runs only.
    """

    run_id: str
    name: str
    project: str
    datum: str
    attempt: int
    state: RunState
    status: RunStatus
    url: str
    offline: bool
    synced: bool
    config: dict[str, Any]
    summary: dict[str, Any]
    history: list[Series]


def shown_runs(files: RunFiles, job: str, how: Tracks, tracked: Tracked) -> list[ShownRun]:
    """The runs of a job, oldest first; no server is asked, and what was read is remembered until it changes.

    Parameters
    ----------
    job
        The name of its logs.
    tracked
        What its record says, which has the links.
    """
    urls = {(run.run_id, run.datum, run.attempt): run.url for run in tracked.runs}
    found = find_runs(files, job, how)[-SHOWN:]
    with_curves = {id(each) for each in found[-CURVES:]}
    return [_shown(each, how.tracker.name, urls, curves=id(each) in with_curves) for each in found]


def _shown(
    found: FoundRun, provider: str, urls: dict[tuple[str, str, int], str], *, curves: bool
) -> ShownRun:
    run, key = found.run, found.key
    return ShownRun(
        run_id=run.run_id,
        name=run.name,
        project=run.project,
        datum=key.datum,
        attempt=key.attempt,
        state=run.state,
        status=status_of(run),
        url=urls.get((run.run_id, key.datum, key.attempt), ""),
        offline=run.offline,
        synced=run.synced,
        config=run.config,
        summary=run.summary,
        history=[*_curves(provider, found.directory, run.updated)] if curves else [],
    )


@lru_cache(maxsize=4 * CURVES)
def _curves(provider: str, directory: Path, _updated: datetime | None) -> tuple[Series, ...]:
    """The metrics of a run, read anew when it has been written to."""
    return tuple(tracker(provider).history(directory, points=POINTS))
