"""Where to look for what other processes do: the store's change feed, what is mounted, and jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import msgspec

from dvmount_fuse.layout import State
from jupyter_dvmount.mounting.model import Mount
from jupyter_dvmount.store import Change, StoreError

from .events import Event, MountEvent, about, about_job
from .services import Opened, Services

if TYPE_CHECKING:
    from jupyter_dvmount.pipelines.jobs.changes import Changes
    from jupyter_dvmount.pipelines.service import Pipelines

MOUNTS_AGE = 15.0
"""Seconds after which mounts are listed without a sign of change: a dead daemon leaves none."""
_FEED_PAGE = 1000


class Seen(msgspec.Struct, frozen=True):
    """What one look has found, and why it could not look at everything, if so."""

    events: tuple[Event, ...] = ()
    trouble: StoreError | None = None


class Lookout(Protocol):
    """Finds out what has changed since it looked last. Blocks; to be used by one thread at a time."""

    subject: str
    """What it looks at, for the log."""

    def look(self) -> Seen:
        """What has happened since the last look."""


class StoreLookout:
    """Looks at the store's change feed and at what is mounted.

    The first look at a store takes note of how things are, unless the store has only just been made.
    """

    subject = "store"

    def __init__(self, services: Services) -> None:
        self._services = services
        self._opened: Opened | None = None
        self._absent = False
        self._seq = 0
        self._mark: object = None
        self._mounts: dict[str, Mount] = {}
        self._listed = 0.0

    def look(self) -> Seen:
        """What has happened since the last look."""
        opened = self._services.peek()
        if opened is None:
            self._absent = True
            return Seen()
        if opened is not self._opened:
            self._begin(opened)
        changes = tuple(self._feed(opened))
        try:
            opened.mounts.look_after()
            return Seen((*changes, *self._mount_events(opened, moved=bool(changes))))
        except StoreError as error:  # the changes must not be lost by it
            return Seen(changes, error)

    def _begin(self, opened: Opened) -> None:
        newest = [] if self._absent else opened.store.changes(None)
        self._seq = newest[-1].seq if newest else 0
        self._mark = None if self._absent else _mark(opened)
        self._mounts = {} if self._absent else {mount.name: mount for mount in opened.mounts.list()}
        self._listed = time.monotonic()
        self._opened, self._absent = opened, False

    def _feed(self, opened: Opened) -> Iterator[Change]:
        while True:
            page = opened.store.changes(self._seq, limit=_FEED_PAGE)
            if page:
                self._seq = page[-1].seq
                yield from page
            if len(page) < _FEED_PAGE:
                return

    def _mount_events(self, opened: Opened, *, moved: bool) -> Iterator[MountEvent]:
        mark = _mark(opened)
        if mark == self._mark and not moved and time.monotonic() - self._listed < MOUNTS_AGE:
            return
        before, after = self._mounts, {mount.name: mount for mount in opened.mounts.list()}
        self._mark, self._mounts, self._listed = mark, after, time.monotonic()
        for name, mount in before.items():
            if name not in after:
                yield about(mount, "unmounted")
        for name, mount in after.items():
            if name not in before:
                yield about(mount, "mounted")
            elif mount != before[name]:
                yield about(mount, "updated")


class JobsLookout:
    """Looks at pipelines and jobs, while somebody listens.

    Parameters
    ----------
    services
        Where the pipelines are.
    is_heard
        Whether anybody listens.
    """

    subject = "jobs"

    def __init__(self, services: Services, is_heard: Callable[[], bool]) -> None:
        self._services = services
        self._is_heard = is_heard
        self._pipelines: Pipelines | None = None
        self._changes: Changes | None = None

    def look(self) -> Seen:
        """What has happened since the last look, or lately if nobody has listened then."""
        pipelines = self._services.peek_pipelines() if self._is_heard() else None
        if pipelines is None:
            self._pipelines = self._changes = None
            return Seen()
        if self._changes is None or pipelines is not self._pipelines:
            self._pipelines, self._changes = pipelines, pipelines.watch()
        changed, jobs = self._changes.look()
        return Seen((*changed, *map(about_job, jobs)))


def _mark(opened: Opened) -> object:
    """Changes whenever a record of a mount does, since records are replaced as whole files."""
    with suppress(FileNotFoundError):
        places = State(opened.config.state).mounts.iterdir()
        return {(place.name, (status := place.lstat()).st_mtime_ns, status.st_ino) for place in places}
    return None
