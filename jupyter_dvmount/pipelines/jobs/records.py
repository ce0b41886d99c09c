"""What the database tells: pipelines, jobs and datums as everybody else sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Literal, TypeVar

import msgspec

from jupyter_dvmount.pipelines.messages import Output
from jupyter_dvmount.pipelines.model import DatumInput
from jupyter_dvmount.pipelines.sandbox.plan import FailureClass
from jupyter_dvmount.pipelines.spec import PipelineSpec
from jupyter_dvmount.store import CommitRef
from jupyter_dvmount.tracking.model import RunState

JobState = Literal[
    "created", "starting", "running", "finishing", "egressing", "success", "failure", "killed", "unrunnable"
]
DatumState = Literal["starting", "success", "failed", "recovered", "skipped"]
PipelineState = Literal["running", "paused"]
RunStatus = Literal["expected", "confirmed", "offline", "none"]

T = TypeVar("T")

FINAL: frozenset[JobState] = frozenset({"success", "failure", "killed", "unrunnable"})
"""States that a job never leaves."""


class JobInput(msgspec.Struct, frozen=True, kw_only=True):
    """A branch that a job reads, and the commit of it.

    Parameters
    ----------
    repo, branch
        What the spec names.
    commit
        What is read; empty while a job upstream makes it, or for a branch without a commit.
    upstream
        The pipeline whose job of the same id makes the commit; empty for a commit that was there.
    """

    repo: str
    branch: str
    commit: str = ""
    upstream: str = ""


class DatumCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many datums a job has, and how many of them are in which final state."""

    total: int = 0
    success: int = 0
    skipped: int = 0
    failed: int = 0
    recovered: int = 0

    @property
    def done(self) -> int:
        """Datums that need nothing any more."""
        return self.success + self.skipped + self.failed + self.recovered


class TrackedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a job's code has made in an experiment tracker.

    Parameters
    ----------
    run_id, project, entity, name
        As the code chose them in the end.
    status
        ``offline`` if it is only on this machine, else ``confirmed``.
    state
        What the tracker thinks of it (`tracking.RunState`); the job's own state is what counts.
    url
        Its page; empty where there is none, or none that is known for sure.
    sweep
        Id of the sweep that it belongs to, or empty.
    datum, attempt
        Whose it is.
    """

    run_id: str
    project: str = ""
    entity: str = ""
    name: str = ""
    status: RunStatus = "confirmed"
    state: RunState = "unknown"
    url: str = ""
    sweep: str = ""
    datum: str = ""
    attempt: int = 1


class Tracked(msgspec.Struct, frozen=True, kw_only=True):
    """The run of an experiment tracker that belongs to a job.

    Parameters
    ----------
    provider
        Name of the tracker.
    run_id
        Id of the run there: of the newest one that there is, else of the one that is expected.
    status
        ``expected`` until a run has been seen, then its status; ``none`` if the job has ended without one.
    url
        Its page; empty where there is none, or none that is known for sure.
    project
        The tracker's project.
    shared
        Whether another pipeline logs to the same project, so that ids have the pipeline's name.
    runs
        All runs that have been seen, oldest first, at most the newest hundred.
    total
        How many have been seen.
    """

    provider: str
    run_id: str
    status: RunStatus = "expected"
    url: str = ""
    project: str = ""
    shared: bool = False
    runs: tuple[TrackedRun, ...] = ()
    total: int = 0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a pipeline on certain commits.

    Parameters
    ----------
    pipeline, version
        Whose job it is, and which version of its spec it runs.
    id
        Global id: that of the commit set which caused it, and of its output commit.
    state
        created → starting → running → finishing (→ egressing) → success, failure, killed or unrunnable.
    reason
        Why it is in this state, for people; empty where there is nothing to say.
    created, started, finished
        When it was made, when it began to look for datums, and when it was over.
    datums
        How many there are in which state.
    input
        The commits that it reads.
    output_commit
        The commit that it makes; None until it is started.
    tier
        Sandbox of its datums, as soon as one has begun.
    executor
        What runs its datums.
    tracking
        Its run in an experiment tracker.
    """

    pipeline: str
    id: str
    state: JobState
    reason: str = ""
    version: int
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    datums: DatumCounts = DatumCounts()
    input: tuple[JobInput, ...] = ()
    output_commit: CommitRef | None = None
    tier: str = ""
    executor: str = ""
    tracking: Tracked | None = None

    @property
    def name(self) -> str:
        """How people name it: ``pipeline@id``."""
        return f"{self.pipeline}@{self.id}"


class DatumInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One datum of a job and what became of it.

    Parameters
    ----------
    pipeline, job
        Whose it is.
    id
        Key over its data and code.
    state
        ``skipped`` if an earlier job's results were taken over.
    reason, failure, exit_code
        Of its last attempt, if that failed.
    attempts
        How many there were.
    started, finished
        Of its last attempt.
    seconds, cpu_seconds, memory
        Of its last attempt: time that passed, processor time, and most bytes that a process held.
    inputs
        What it sees.
    output
        Where what it wrote is kept; None for nothing.
    """

    pipeline: str
    job: str
    id: str
    state: DatumState
    reason: str = ""
    failure: FailureClass = ""
    exit_code: int | None = None
    attempts: int = 0
    started: datetime | None = None
    finished: datetime | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory: int = 0
    inputs: tuple[DatumInput, ...] = ()
    output: Output | None = None


class PipelineInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline as it is now.

    Parameters
    ----------
    name
        Its name, and that of the repository of its output.
    version
        Counts its specs, from 1.
    state
        ``paused`` after ``stop pipeline``.
    description
        Of its spec.
    created, updated
        When it was made, and when it got its spec.
    input
        The branches that it reads, as ``repo@branch``.
    output
        The branch that it writes.
    last_job, last_job_state
        Its newest job; empty if there is none.
    spec
        Its spec.
    """

    name: str
    version: int
    state: PipelineState
    description: str = ""
    created: datetime
    updated: datetime
    input: tuple[str, ...] = ()
    output: str
    last_job: str = ""
    last_job_state: JobState | Literal[""] = ""
    spec: PipelineSpec


class PipelineChange(msgspec.Struct, frozen=True):
    """What happened to a pipeline; ``updated`` if it got another spec, was stopped or started."""

    action: Literal["created", "updated", "deleted"]
    pipeline: str


class Part(msgspec.Struct, Generic[T], frozen=True):
    """A part of a long list; ``next`` is where the one after it begins, None at the end."""

    items: list[T]
    next: int | None
