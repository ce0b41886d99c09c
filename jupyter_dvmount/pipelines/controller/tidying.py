"""After a job: what only older ones needed is forgotten."""

from __future__ import annotations

from contextlib import suppress

from jupyter_dvmount.pipelines.jobs import history, work
from jupyter_dvmount.pipelines.jobs.database import Database
from jupyter_dvmount.pipelines.jobs.history import JobRow
from jupyter_dvmount.pipelines.kept import meta_repo
from jupyter_dvmount.store import Conflict, VersionStore

SWEEP = 20
"""Jobs of a pipeline after which its results are looked through: that takes time with their number."""


def tidy(store: VersionStore, database: Database, row: JobRow, *, epoch: int) -> None:
    """Forget what nobody needs any more after a job that is over.

    Parameters
    ----------
    row
        The job. Nothing else of its pipeline may run.
    """
    with database.write(epoch=epoch) as connection:
        work.prune(connection, row.pipeline)
        is_due = history.ended(connection, row.pipeline) % SWEEP == 0
    if is_due and row.started is not None:
        _sweep(store, database, row)


def _sweep(store: VersionStore, database: Database, row: JobRow) -> None:
    """Drop commits with outputs of attempts whose results have been replaced, or were never written down.

    Those of the time since the job has started are left alone: if another controller should have taken over
    meanwhile, they may be what its datums are just writing.
    """
    used = work.commits_in_use(database, row.pipeline)
    repo = meta_repo(row.pipeline)
    for commit in [*store.list_commits(repo)]:  # a page begins where the last has ended, which may be gone
        if commit.id not in used and commit.finished is not None and commit.finished < row.started:
            with suppress(Conflict):  # somebody has built upon it
                store.drop_commit_set(commit.id)
