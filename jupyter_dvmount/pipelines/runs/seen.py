"""What the run directories of a job say: which runs it has made, and where they can be looked at."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec.structs import replace

from jupyter_dvmount.pipelines.jobs.records import RunStatus, Tracked, TrackedRun
from jupyter_dvmount.pipelines.logs import LogKey
from jupyter_dvmount.store import StoreError
from jupyter_dvmount.tracking import Account, Run

from .expected import Tracks
from .files import RunFiles

LISTED = 100
"""Runs that a job's record lists, the newest."""


class FoundRun(msgspec.Struct, frozen=True):
    """A run of a job: whose it is, what it tells, and its directory."""

    key: LogKey
    run: Run
    directory: Path


def find_runs(files: RunFiles, job: str, tracks: Tracks) -> list[FoundRun]:
    """The runs of a job, given by the name of its logs, oldest first."""
    found = []
    for key, path in files.of_job(job):
        place = path / tracks.tracker.run_directory
        found += [FoundRun(key, run, place / run.directory) for run in tracks.tracker.runs(place)]
    return found


def look(
    tracked: Tracked, found: Collection[FoundRun], tracks: Tracks, key: str, *, is_over: bool
) -> Tracked:
    """What is known of a job's run after a look at its directories.

    Parameters
    ----------
    tracked
        What was known before.
    found
        Its runs.
    key
        The tracker's key, or empty.
    is_over
        Whether there will be no more.
    """
    account = account_of(tracks, key)
    if not found:
        has_page = bool(key) and not tracks.per_datum and not is_over
        url = tracks.tracker.url(account, tracked.run_id, tracks.settings) if has_page else None
        return replace(tracked, status="none" if is_over else "expected", url=url or "")
    runs = tuple(_seen(each, account, tracks) for each in [*found][-LISTED:])
    newest = runs[-1]
    return replace(
        tracked,
        run_id=newest.run_id,
        status=newest.status,
        url=newest.url,
        project=newest.project or tracked.project,
        runs=runs,
        total=len(found),
    )


def account_of(tracks: Tracks, key: str) -> Account:
    """Whom a key belongs to as far as that can be found out now; never raises."""
    with suppress(StoreError):
        return tracks.tracker.account(tracks.settings, key)
    with suppress(StoreError):
        return tracks.tracker.account(tracks.settings, "")  # asks no server
    return Account()


def status_of(run: Run) -> RunStatus:
    """``offline`` if a run that was made is only on this machine, else ``confirmed``."""
    return "offline" if run.offline and not run.synced else "confirmed"


def _seen(found: FoundRun, account: Account, tracks: Tracks) -> TrackedRun:
    run = found.run
    status = status_of(run)
    url = None if status == "offline" else tracks.tracker.url(account, run, tracks.settings)
    return TrackedRun(
        run_id=run.run_id,
        project=run.project,
        entity=run.entity,
        name=run.name,
        status=status,
        state=run.state,
        url=url or "",
        sweep=run.sweep,
        datum=found.key.datum,
        attempt=found.key.attempt,
    )
