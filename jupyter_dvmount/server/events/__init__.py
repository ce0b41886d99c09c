"""Events that the server sends to browsers, through Jupyter's event stream (``/api/events/subscribe``)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from jupyter_events import EventLogger

from jupyter_dvmount.mounting.model import Mount
from jupyter_dvmount.store import Change

MOUNT_SCHEMA = "urn:jupyter-dvmount:mount:v1"
CHANGE_SCHEMA = "urn:jupyter-dvmount:change:v1"

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
    """Sends events; to be used on the event loop only.

    Parameters
    ----------
    logger
        The server's event logger; the schemas are registered with it.
    """

    def __init__(self, logger: EventLogger) -> None:
        self._logger = logger
        for name in ("mount.yaml", "change.yaml"):
            logger.register_event_schema(Path(__file__).with_name(name))

    def has_listeners(self) -> bool:
        """Whether any browser is connected or any log handler is configured.

        The logger has no public way to ask; where the attribute is missing one day, somebody is assumed.
        """
        listeners = getattr(self._logger, "_modified_listeners", None)
        return listeners is None or bool(listeners.get(CHANGE_SCHEMA) or self._logger.handlers)

    def send_mount(self, event: MountEvent) -> None:
        """Tell of a mount."""
        self._logger.emit(schema_id=MOUNT_SCHEMA, data=msgspec.to_builtins(event))

    def send_change(self, change: Change) -> None:
        """Tell of a change of the store."""
        data = msgspec.to_builtins(change)
        del data["seq"]  # means nothing outside of the store
        self._logger.emit(schema_id=CHANGE_SCHEMA, data=data)
