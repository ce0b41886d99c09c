"""The beginning of a job: its output commit is opened, and its datums are written down."""

from __future__ import annotations

import threading
from itertools import islice

from msgspec.structs import replace

from jupyter_dvmount.pipelines.datums import enumerate_datums
from jupyter_dvmount.pipelines.datums.scratch import Scratch
from jupyter_dvmount.pipelines.explain import nothing_because
from jupyter_dvmount.pipelines.jobs import JobInput, history, work
from jupyter_dvmount.pipelines.jobs.database import Database
from jupyter_dvmount.pipelines.jobs.history import JobRow
from jupyter_dvmount.pipelines.jobs.schema import now
from jupyter_dvmount.pipelines.jobs.specs import Version
from jupyter_dvmount.pipelines.plans import salted_code
from jupyter_dvmount.pipelines.secrets import SecretStore
from jupyter_dvmount.store import AlreadyExists, Commit, CommitRef, NotFound, VersionStore

BATCH = 10_000
"""Datums that are written down in one transaction: with random ids each touches much of an index."""


class Stopped(Exception):
    """Somebody wants the job to end."""


class NeverThere(Exception):
    """An input that will not come."""


def inputs_of(store: VersionStore, database: Database, row: JobRow) -> tuple[JobInput, ...] | None:
    """The commits that a job has to read; None while a job upstream has not ended.

    Raises
    ------
    NeverThere
        If it has ended without an output.
    """
    found = []
    with database.read() as connection:
        for each in row.input:
            if not each.upstream or each.commit:
                found.append(each)
                continue
            above = history.row_of(connection, each.upstream, row.id)
            if above is None:
                raise NeverThere(f"pipeline {each.upstream}, which makes {each.repo}, has been deleted")
            if above.finished is None:
                return None
            if above.state != "success":
                reason = f": {above.reason}" if above.reason else ""
                raise NeverThere(f"{each.upstream}@{above.id[:12]} upstream ended as {above.state}{reason}")
            found.append(replace(each, commit=row.id))
    return tuple(each if each.commit else replace(each, commit=_head(store, each)) for each in found)


def _head(store: VersionStore, wanted: JobInput) -> str:
    try:
        return store.inspect_branch(wanted.repo, wanted.branch).head or ""
    except NotFound:
        return ""


def prepare(
    store: VersionStore,
    database: Database,
    secrets: SecretStore,
    row: JobRow,
    *,
    version: Version,
    inputs: tuple[JobInput, ...],
    executor: str,
    epoch: int,
    stop: threading.Event,
) -> None:
    """Bring a job from ``created`` to ``running``; may be repeated after any interruption.

    Raises
    ------
    NotFound
        If a secret, a commit or the output repository is missing.
    Stopped
        If ``stop`` was set meanwhile.
    StoreError
        If the store or the database cannot be used.
    """
    code = salted_code(version.spec, version.salt, secrets)
    with database.write(epoch=epoch) as connection:
        history.change(
            connection,
            row.num,
            state="starting",
            reason="",
            started=row.started or now(),
            input=inputs,
            code=code,
            executor=executor,
            output=version.spec.name,
        )
        work.clear(connection, row.num)
    open_output(store, version, row.id, inputs)
    heads = {(each.repo, each.branch): each.commit for each in inputs if each.commit}
    takes_over = not row.anew and not version.spec.runs_every_job
    known = work.Results(database, row.pipeline)
    first = 0
    with Scratch() as scratch:
        datums = enumerate_datums(store, version.spec, heads, code, scratch)
        while batch := list(islice(datums, BATCH)):
            if stop.is_set():
                raise Stopped
            outputs = known.outputs([each.id for each in batch]) if takes_over else {}
            with database.write(epoch=epoch) as connection:
                work.fill(connection, row.num, first, batch, outputs)
            first += len(batch)
    reason = "" if first else f"nothing to do: {nothing_because(version.spec, heads)}"
    with database.write(epoch=epoch) as connection:
        work.count(connection, row.num)
        history.change(connection, row.num, state="running", reason=reason)


def open_output(store: VersionStore, version: Version, id: str, inputs: tuple[JobInput, ...]) -> Commit:
    """The output commit of a job: started, unless it is there already.

    Raises
    ------
    AlreadyExists
        If the repository has a commit with this id that is not the job's.
    Conflict
        If another commit is open on the output branch.
    """
    repo, branch = version.spec.name, version.spec.output_branch
    try:
        held = store.inspect_commit(repo, id)
    except NotFound:
        provenance = [CommitRef(each.repo, each.commit) for each in inputs if each.commit]
        return store.start_commit(repo, branch, id=id, provenance=provenance, origin="auto")
    if held.origin != "auto" or held.branch != branch:
        raise AlreadyExists(f"{repo} has a commit {id} that no job has made", fix="rerun the job")
    return held
