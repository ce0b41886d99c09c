"""Clocks: puts a file into the repository of a cron input whenever it ticks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

from sqlalchemy import delete, insert, select

from jupyter_dvmount.pipelines.jobs.database import Database
from jupyter_dvmount.pipelines.jobs.schema import ticks
from jupyter_dvmount.pipelines.jobs.specs import Version
from jupyter_dvmount.pipelines.spec import Cron
from jupyter_dvmount.pipelines.spec.cron import next_tick, start_time
from jupyter_dvmount.store import DEFAULT_BRANCH, Commit, NotFound, VersionStore


class Clocks:
    """The cron inputs of all pipelines.

    Parameters
    ----------
    store, database
        Where ticks go, and where it is noted which were made.
    epoch
        Of the controller's lease.
    """

    def __init__(self, store: VersionStore, database: Database, epoch: int) -> None:
        self._store = store
        self._database = database
        self._epoch = epoch
        self._due: dict[tuple[str, str], datetime] = {}
        self._looked: datetime | None = None

    def tick(self, versions: Mapping[str, Version], moment: datetime) -> bool:
        """Make the ticks that are due; whether there were any. Of several that were missed, the newest."""
        made = False
        if self._looked is not None and moment < self._looked:  # the clock was set back
            self._due.clear()
        self._looked = moment
        wanted = {
            (name, each.name): each
            for name, version in versions.items()
            if not version.paused
            for each in version.spec.input.leaves()
            if isinstance(each, Cron)
        }
        for key, cron in wanted.items():
            due = self._due.get(key) or self._next(key, cron, moment)
            if due is None or due > moment:
                continue
            while (later := next_tick(cron.spec, due)) is not None and later <= moment:
                due = later
            put_tick(self._store, cron, due)
            self._note(key, due)
            made = True
        self._due = {key: due for key, due in self._due.items() if key in wanted}
        return made

    def _next(self, key: tuple[str, str], cron: Cron, moment: datetime) -> datetime | None:
        with self._database.read() as connection:
            here = (ticks.c.pipeline == key[0]) & (ticks.c.input == key[1])
            after = connection.execute(select(ticks.c.after).where(here)).scalar_one_or_none()
        start = start_time(cron.start) or moment
        if after is None:
            after = start
            self._note(key, after)
        # What was noted by a clock that was ahead must not silence the input until then.
        due = next_tick(cron.spec, min(after, max(start, moment)))
        if due is not None:
            self._due[key] = due
        return due

    def _note(self, key: tuple[str, str], after: datetime) -> None:
        self._due.pop(key, None)
        with self._database.write(epoch=self._epoch) as connection:
            here = (ticks.c.pipeline == key[0]) & (ticks.c.input == key[1])
            connection.execute(delete(ticks).where(here))
            connection.execute(insert(ticks).values(pipeline=key[0], input=key[1], after=after))


def put_tick(store: VersionStore, cron: Cron, moment: datetime) -> Commit:
    """Commit the tick of a moment; the commit that is there, if it was made before."""
    name = f"/{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    old: list[str] = []
    try:
        reader = store.read(cron.source, DEFAULT_BRANCH)
        if reader.lookup(name) is not None:
            return reader.commit
        old = [each.path for each in reader.list("/")] if cron.overwrite else []
    except NotFound:
        pass  # the first one
    with store.modify(cron.source, DEFAULT_BRANCH, message="tick") as writer:
        for path in old:
            writer.delete(path)
        writer.put(name, b"")
    return writer.commit
