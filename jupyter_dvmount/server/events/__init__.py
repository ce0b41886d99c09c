"""Events that the server sends to browsers, through Jupyter's event stream (``/api/events/subscribe``)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from jupyter_events import EventLogger

from jupyter_dvmount.mounting.model import Mount
from jupyter_dvmount.pipelines.jobs import DatumCounts, Job, JobState, PipelineChange, Tracked
from jupyter_dvmount.store import Change

MOUNT_SCHEMA = "urn:jupyter-dvmount:mount:v1"
CHANGE_SCHEMA = "urn:jupyter-dvmount:change:v1"
JOB_SCHEMA = "urn:jupyter-dvmount:job:v1"
PIPELINE_SCHEMA = "urn:jupyter-dvmount:pipeline:v1"

MountAction = Literal["mounted", "unmounted", "updated", "progress", "failed"]


class MountEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened to a mount; the fields are described in ``mount.yaml``."""

    action: MountAction
    name: str
    repo: str = ""
    ref: str = ""
    commit: str = ""
    files_done: int = 0
    bytes_done: int = 0
    files_total: int = 0
    bytes_total: int = 0
    message: str = ""


class JobEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job as it is now; the fields are described in ``job.yaml``."""

    pipeline: str
    id: str
    state: JobState
    reason: str
    datums: DatumCounts
    tracking: Tracked | None = None


Event = MountEvent | Change | JobEvent | PipelineChange

_SCHEMAS = {
    MountEvent: MOUNT_SCHEMA,
    Change: CHANGE_SCHEMA,
    JobEvent: JOB_SCHEMA,
    PipelineChange: PIPELINE_SCHEMA,
}
_INTERNAL = "seq"  # of a change; means nothing outside of the store


def about_job(job: Job) -> JobEvent:
    """The event that tells of a job as it is now."""
    return JobEvent(
        pipeline=job.pipeline,
        id=job.id,
        state=job.state,
        reason=job.reason,
        datums=job.datums,
        tracking=job.tracking,
    )


def about(mount: Mount, action: MountAction) -> MountEvent:
    """The event that tells of a mount as it is now."""
    return MountEvent(
        action=action,
        name=mount.name,
        repo=mount.repo,
        ref=mount.branch or mount.commit,
        commit=mount.commit,
        message=mount.error,
    )


class Events:
    """Sends events; sending is for the event loop only.

    Parameters
    ----------
    logger
        The server's event logger; the schemas are registered with it.
    """

    def __init__(self, logger: EventLogger) -> None:
        self._logger = logger
        for schema in sorted(Path(__file__).parent.glob("*.yaml")):
            logger.register_event_schema(schema)

    def has_listeners(self) -> bool:
        """Whether any browser is connected or any log handler is configured.

        The logger has no public way to ask; where the attribute is missing one day, somebody is assumed.
        """
        listeners = getattr(self._logger, "_modified_listeners", None)
        return listeners is None or bool(listeners.get(CHANGE_SCHEMA) or self._logger.handlers)

    def send(self, event: Event) -> None:
        """Tell of something."""
        data = msgspec.to_builtins(event)
        data.pop(_INTERNAL, None)
        self._logger.emit(schema_id=_SCHEMAS[type(event)], data=data)
