"""The protocol of experiment trackers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from jupyter_dvmount.store import Invalid

from .model import Account, Run, Series, Settings, TrackedJob

ENTRY_POINTS = "jupyter_dvmount.trackers"


class Tracker(Protocol):
    """An experiment tracker. Thread-safe; what may take long says so."""

    name: str
    """As specs call it."""
    key_variable: str
    """Environment variable that holds the key."""
    run_directory: str
    """Name of the directory, below the one that `environment` was given, in which runs appear."""

    def settings(self, variables: Mapping[str, str], defaults: Settings) -> Settings:
        """The settings of code that gets some variables of its own; ``defaults`` where they say nothing."""

    def run_id(self, job: TrackedJob, settings: Settings) -> str:
        """The id that the job's run gets unless its code chooses another."""

    def environment(
        self, job: TrackedJob, settings: Settings, directory: str, *, has_key: bool
    ) -> dict[str, str]:
        """Variables for the job's process, without the key.

        Parameters
        ----------
        directory
            Where the tracker may write, as the job sees it.
        has_key
            Whether the job has a key; without one everything stays local.
        """

    def runs(self, directory: Path) -> list[Run]:
        """The runs found in a directory, oldest first; what was read once is remembered until it changes."""

    def marks(self, directory: Path) -> frozenset[str]:
        """What changes when there are other runs in a directory than before; costs next to nothing."""

    def mask(self, directory: Path, values: Collection[bytes]) -> None:
        """Overwrite values of secrets in all that was written below a directory, which stays readable."""

    def history(self, run: Path, *, points: int = 1000) -> list[Series]:
        """The metrics of one run directory, at most ``points`` of each. May take seconds."""

    def account(self, settings: Settings, key: str) -> Account:
        """Ask the server whom a key belongs to; with an empty key only where people look at runs.

        Raises
        ------
        Denied
            If the server does not accept the key.
        Unavailable
            If it cannot be reached.
        """

    def url(self, account: Account, run: Run | str, settings: Settings) -> str | None:
        """The page of a run, given by its id until there is more; None where it would be a guess."""

    def sync(self, run: Path, settings: Settings, key: str) -> None:
        """Upload an offline run. May take minutes; raises as `account` does."""


@cache
def tracker(name: str) -> Tracker:
    """The tracker that specs call ``name``; one object a process, which remembers what it has read.

    Raises
    ------
    Invalid
        If there is none. They are entry points of the group ``jupyter_dvmount.trackers``.
    """
    found = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise Invalid(f"no experiment tracker {name!r}", fix=f"use one of these: {known}")
    made: Tracker = found[name].load()()
    return made


def tracker_of_key(variables: Collection[str]) -> Tracker | None:
    """The tracker whose key is one of some environment variables."""
    if not variables:
        return None
    known = (tracker(name) for name in sorted({point.name for point in entry_points(group=ENTRY_POINTS)}))
    return next((each for each in known if each.key_variable in variables), None)
