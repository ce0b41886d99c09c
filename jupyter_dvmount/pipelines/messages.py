"""What an executor and its agents say to each other."""

from __future__ import annotations

import msgspec

from .logs import LogKey, LogLine
from .model import Datum
from .sandbox.plan import Outcome, Plan, Tier


class RunPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where the runs of an attempt are kept (`runs.files.RunFiles`), and the tracker that they are of."""

    key: LogKey
    provider: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try of one datum.

    Parameters
    ----------
    id
        Unique among all attempts.
    datum
        What it sees.
    env
        Variables of this attempt alone, such as the id of its W&B run.
    runs
        Where its runs are kept, if they are tracked.
    """

    id: str
    datum: Datum
    env: dict[str, str] = {}
    runs: RunPlace | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts of one job that one agent runs, one after the other.

    Parameters
    ----------
    job, output_commit
        Global id of the job, and id of its output commit.
    project, pipeline
        Whose job it is.
    plan
        What is run.
    output_repo
        Repository (of type ``meta``) that takes the attempts' outputs until the job is finished.
    attempts
        What to run; at least one.
    image_required
        Whether the plan's image must be used, rather than the best tier without.
    """

    job: str
    output_commit: str
    project: str = "default"
    pipeline: str
    plan: Plan
    output_repo: str
    attempts: tuple[Attempt, ...]
    image_required: bool = False


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """Where an attempt's output is: a finished commit, from which copying moves no bytes.

    Parameters
    ----------
    repo, commit
        The commit; it has no branch once the batch is over, and is found by its id.
    path
        Directory in it that was ``/pfs/out``.
    files, size
        Number of files and their bytes.
    """

    repo: str
    commit: str
    path: str
    files: int
    size: int


class Started(msgspec.Struct, frozen=True, tag=True):
    """An attempt has begun; ``warnings`` say what of the spec is not done in this tier."""

    attempt: str
    tier: Tier
    warnings: tuple[str, ...] = ()


class Logged(msgspec.Struct, frozen=True, tag=True):
    """An attempt has printed something; without secrets."""

    attempt: str
    lines: tuple[LogLine, ...]


class Finished(msgspec.Struct, frozen=True, tag=True):
    """An attempt is over.

    ``output`` is what it has written if it succeeded, and what its plan keeps if not; None for nothing.
    """

    attempt: str
    outcome: Outcome
    output: Output | None = None


Event = Started | Logged | Finished


class Run(msgspec.Struct, frozen=True, tag=True):
    """Run a batch; ``secrets`` has the values of those that its plan names, by name and key."""

    batch: Batch
    secrets: dict[str, dict[str, bytes]] = {}


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """End an attempt that runs, or do not begin it."""

    attempt: str


Order = Run | Cancel
