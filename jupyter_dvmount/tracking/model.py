"""The records between pipelines and experiment trackers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

RunState = Literal["running", "finished", "failed", "crashed", "unknown"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where runs go.

    Parameters
    ----------
    project
        The tracker's project.
    entity
        User or team; empty for the key's own.
    base_url
        The tracker's server; empty for the public one.
    tags
        Tags of every run, besides those of the job.
    shared
        Whether another pipeline logs to the same project, so that ids need the pipeline's name.
    """

    project: str
    entity: str = ""
    base_url: str = ""
    tags: tuple[str, ...] = ()
    shared: bool = False


class TrackedJob(msgspec.Struct, frozen=True, kw_only=True):
    """What a tracker has to know of a job.

    Parameters
    ----------
    id
        The global id: 32 hex digits.
    pipeline
        Name of the pipeline.
    attempt
        1 for the first one.
    datum
        Id of the datum, where each datum is a run of its own; else empty.
    inputs, output
        ``dvm://`` URIs of the commits.
    branches
        ``repo@branch`` of the inputs.
    page
        URL of the job in JupyterLab, or empty.
    """

    id: str
    pipeline: str
    attempt: int = 1
    datum: str = ""
    inputs: tuple[str, ...] = ()
    output: str = ""
    branches: tuple[str, ...] = ()
    page: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run as its own directory tells.

    Parameters
    ----------
    run_id, project, entity, name
        As the code chose them in the end.
    state
        ``unknown`` where the process was killed before it wrote anything.
    exit_code
        Of the process, or None while it is not known.
    config, summary
        What was configured, and the last value of each metric.
    tags
        As the code set them.
    sweep
        Id of the sweep that it belongs to, or empty.
    console
        The last lines of output.
    started, updated
        When it began, and when it was last written to.
    directory
        Path of the run directory, relative to what was searched.
    offline
        Whether it was logged without a server.
    synced
        Whether an offline run has been uploaded since.
    """

    run_id: str
    project: str = ""
    entity: str = ""
    name: str = ""
    state: RunState = "unknown"
    exit_code: int | None = None
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    tags: tuple[str, ...] = ()
    sweep: str = ""
    console: tuple[str, ...] = ()
    started: datetime | None = None
    updated: datetime | None = None
    directory: str = ""
    offline: bool = False
    synced: bool = False


class Series(msgspec.Struct, frozen=True):
    """One metric of a run: steps and values of equal length, thinned evenly where there were too many."""

    name: str
    steps: list[int]
    values: list[float]


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a key belongs to.

    Parameters
    ----------
    entity
        The default user or team of the key, or empty where there is no key.
    app_url
        Where people look at runs, without a slash at the end.
    """

    entity: str = ""
    app_url: str = ""
