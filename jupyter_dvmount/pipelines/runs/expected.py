"""What a spec says about its experiment tracker: which one, which run a job is, and by which key."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

import msgspec

from jupyter_dvmount.pipelines.jobs.records import Tracked
from jupyter_dvmount.pipelines.secrets import SecretStore
from jupyter_dvmount.pipelines.spec import PipelineSpec, Tracking
from jupyter_dvmount.store import Invalid, StoreError
from jupyter_dvmount.tracking import Settings, TrackedJob, Tracker, tracker, tracker_of_key


class Tracks(msgspec.Struct, frozen=True, kw_only=True):
    """How the runs of a pipeline are tracked.

    Parameters
    ----------
    tracker
        By whom.
    settings
        Where runs go.
    per_datum
        Whether each datum is a run of its own.
    """

    tracker: Tracker
    settings: Settings
    per_datum: bool


def tracks(spec: PipelineSpec) -> Tracks | None:
    """How a pipeline is tracked: as its spec says, or because its code gets the key of a tracker.

    None if it is not, or if its tracker is not installed any more.
    """
    found: Tracker | None = None
    if spec.tracking is not None:
        with suppress(Invalid):
            found = tracker(spec.tracking.provider)
    else:
        found = tracker_of_key(frozenset(use.env_var for use in spec.transform.secrets if use.env_var))
    if found is None:
        return None
    said = spec.tracking or Tracking()
    settings = Settings(
        project=said.project or spec.pipeline.name,
        entity=said.entity,
        base_url=said.base_url,
        tags=tuple(said.tags),
    )
    settings = found.settings(spec.transform.env, settings)
    return Tracks(tracker=found, settings=settings, per_datum=said.run_per == "datum")


def expected(spec: PipelineSpec, id: str, pipelines: Iterable[PipelineSpec]) -> Tracked | None:
    """The run that a new job is expected to be; None if it is not tracked.

    Parameters
    ----------
    id
        Global id of the job.
    pipelines
        All there are: the id of the run has the pipeline's name if another one logs to the same place.
    """
    mine = tracks(spec)
    if mine is None:
        return None
    place = _place(mine)
    shared = any(
        each.name != spec.name and (other := tracks(each)) is not None and _place(other) == place
        for each in pipelines
    )
    settings = msgspec.structs.replace(mine.settings, shared=shared)
    run_id = mine.tracker.run_id(TrackedJob(id=id, pipeline=spec.name), settings)
    return Tracked(provider=mine.tracker.name, run_id=run_id, project=settings.project, shared=shared)


def key_of(spec: PipelineSpec, found: Tracker, secrets: SecretStore) -> str:
    """The tracker's key, as the code of a pipeline gets it; empty without one."""
    for use in spec.transform.secrets:
        if use.env_var == found.key_variable:
            with suppress(StoreError):
                return os.fsdecode(secrets.values(use.name).get(use.key, b"")).strip()
    return spec.transform.env.get(found.key_variable, "")


def _place(found: Tracks) -> tuple[str, str, str, str]:
    settings = found.settings
    return found.tracker.name, settings.base_url.rstrip("/"), settings.entity, settings.project
