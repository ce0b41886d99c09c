"""The protocol between the controller and whatever runs its attempts."""

from __future__ import annotations

import queue
from contextlib import suppress
from importlib.metadata import entry_points
from types import TracebackType
from typing import Protocol

from typing_extensions import Self

from jupyter_dvmount.config import Config
from jupyter_dvmount.pipelines.messages import Batch, Event
from jupyter_dvmount.pipelines.secrets import SecretStore
from jupyter_dvmount.store import Conflict, Invalid

ENTRY_POINTS = "jupyter_dvmount.executors"


class Full(Conflict):
    """The executor's queue takes no more now."""


class Executor(Protocol):
    """Runs batches of attempts. Thread-safe.

    Every attempt that `submit` has taken gets exactly one `Finished` from `events`, whatever happens to the
    processes that run it; what happens to them is a failure of class ``infrastructure``.
    """

    name: str
    slots: int
    """How many batches run at the same time."""

    @property
    def room(self) -> int:
        """How many batches can be submitted now; about twice `slots` when nothing runs."""

    def submit(self, batch: Batch) -> None:
        """Queue a batch.

        Raises
        ------
        Full
            If there is no room.
        NotFound
            If a secret of its plan does not exist; nothing is queued then.
        """

    def cancel(self, attempt: str) -> None:
        """End an attempt, or do not begin it; it finishes as ``cancelled`` unless it is over already."""

    def events(self, timeout: float | None = None) -> list[Event]:
        """What has happened since the last call; waits up to ``timeout`` seconds for the first event."""

    def close(self) -> None:
        """End everything, at once; idempotent."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...


def drain(events: queue.SimpleQueue[Event], timeout: float | None) -> list[Event]:
    """All that is in a queue; waits up to ``timeout`` seconds for the first."""
    found: list[Event] = []
    with suppress(queue.Empty):
        found.append(events.get(timeout=timeout))
        while True:
            found.append(events.get_nowait())
    return found


def open_executor(name: str, config: Config, secrets: SecretStore, *, slots: int | None = None) -> Executor:
    """Start the executor with a name.

    Parameters
    ----------
    name
        Of an entry point of the group ``jupyter_dvmount.executors``: a callable
        ``(config, secrets, slots) -> Executor``.
    config, secrets
        The settings, and where values of secrets come from.
    slots
        How many batches at the same time; by default what the executor finds fit.

    Raises
    ------
    Invalid
        If there is none with this name.
    """
    found = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name not in found:
        raise Invalid(f"no executor {name!r}", fix=f"use one of: {', '.join(names()) or 'none'}")
    executor: Executor = found[name].load()(config, secrets, slots)
    return executor


def names() -> list[str]:
    """The executors that are installed."""
    return sorted(entry_points(group=ENTRY_POINTS).names)
