"""When a branch takes over the head of another one (`Trigger`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import msgspec

from jupyter_dvmount.store.cron import next_tick
from jupyter_dvmount.store.embedded.catalog.schema import now, to_time
from jupyter_dvmount.store.embedded.trees.difference import difference
from jupyter_dvmount.store.embedded.trees.tree import Load
from jupyter_dvmount.store.errors import Invalid
from jupyter_dvmount.store.model import Trigger
from jupyter_dvmount.store.uri import check_branch

_MICROS = 1_000_000
_MOST = (1 << 63) - 1
"""What a catalog can count; with more, each commit that the trigger has to look at would fail."""
_SET_BACK = timedelta(hours=1)
"""A clock that is corrected by less has not been wrong: what it has fired for stays fired."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger as it is stored with its branch.

    Parameters
    ----------
    made, fired
        When it was made and when it fired last, in microseconds since 1970 UTC.
    """

    trigger: Trigger
    made: int
    fired: int | None = None

    @property
    def last(self) -> datetime:
        """The moment after which a tick of its cron expression counts."""
        return to_time(self.made if self.fired is None else self.fired)


class Unmeasured(Exception):
    """A transaction needs to know how much two trees differ, and that is measured outside of it."""

    def __init__(self, old: bytes | None, new: bytes | None, wanted: int) -> None:
        super().__init__()
        self.question = (old, new, wanted)


class Growth:
    """Whether trees differ by so many bytes. Nothing is read while a transaction holds a lock.

    Parameters
    ----------
    load
        Reads nodes, also of trees that the catalog does not know yet.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._known: dict[tuple[bytes | None, bytes | None, int], bool] = {}

    def reaches(self, old: bytes | None, new: bytes | None, wanted: int) -> bool:
        """Whether the files of ``new`` that are not so in ``old`` have ``wanted`` bytes, or `Unmeasured`."""
        known = self._known.get((old, new, wanted))
        if known is None:
            raise Unmeasured(old, new, wanted)
        return known

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Answer what the block, a transaction, could not be told: then it has to be done again."""
        try:
            yield
        except Unmeasured as unmeasured:
            self._measure(*unmeasured.question)

    def _measure(self, old: bytes | None, new: bytes | None, wanted: int) -> None:
        """Visits no more than is needed for the answer."""
        size = 0
        for one in difference(self._load, old, new):
            if one.new is not None and not one.new.is_directory:
                size += one.new.size
            if size >= wanted:
                break
        self._known[old, new, wanted] = size >= wanted


def hold(trigger: Trigger) -> Held:
    """A new trigger, checked."""
    check_branch(trigger.branch)
    for what, number in (("size", trigger.size), ("number of commits", trigger.commits)):
        if number is not None and number < 1:
            raise Invalid(f"illegal {what} of a trigger: {number}", fix="use 1 or more")
        if number is not None and number > _MOST:
            raise Invalid(f"illegal {what} of a trigger: {number}", fix="use less than 2^63")
    limit = trigger.rate_limit
    if limit is not None and not (math.isfinite(limit) and limit > 0):
        raise Invalid(f"illegal rate limit of a trigger: {limit}", fix="use more than 0 seconds")
    made = now()
    if trigger.cron and next_tick(trigger.cron, to_time(made)) is None:
        raise Invalid(f"cron expression {trigger.cron!r} has no time to come", fix="write one that has")
    return Held(trigger=trigger, made=made)


def encode(held: Held) -> str:
    """A trigger as a column of its branch."""
    return msgspec.json.encode(held).decode()


def decode(column: str) -> Held:
    """A trigger from the column of its branch."""
    return msgspec.json.decode(column, type=Held)


def on_clock(held: Held, moment: int) -> Held:
    """The trigger after a look at the clock.

    A clock that was far ahead, when it fired, would keep it from firing until that time comes. So, if more
    than one of its times lies between, it counts from now on.
    """
    here = to_time(moment)
    if held.last - here <= _SET_BACK:
        return held
    if held.trigger.cron:
        tick = next_tick(held.trigger.cron, here)
        following = next_tick(held.trigger.cron, tick) if tick else None
        if following is None or following > held.last:
            return held
    fired = None if held.fired is None else moment
    return msgspec.structs.replace(held, made=min(held.made, moment), fired=fired)


def is_due(held: Held, moment: int, commits: Callable[[int], bool], size: Callable[[int], bool]) -> bool:
    """Whether it fires for a new head of the branch that it watches.

    Parameters
    ----------
    held
        The trigger.
    moment
        Now, in microseconds.
    commits, size
        Whether so many commits, or bytes, have come since. Asked only if the answer matters.
    """
    answers = list(_conditions(held, moment, commits, size))
    return not answers or (all if held.trigger.all else any)(answer() for answer in answers)


def _conditions(
    held: Held, moment: int, commits: Callable[[int], bool], size: Callable[[int], bool]
) -> Iterator[Callable[[], bool]]:
    """One question for each condition, those that cost most last."""
    trigger = held.trigger
    if (limit := trigger.rate_limit) is not None:
        yield lambda: held.fired is None or moment - held.fired >= limit * _MICROS
    if trigger.cron:
        yield lambda: _has_ticked(trigger.cron, held.last, to_time(moment))
    if (count := trigger.commits) is not None:
        yield lambda: commits(count)
    if (wanted := trigger.size) is not None:
        yield lambda: size(wanted)


def _has_ticked(expression: str, last: datetime, moment: datetime) -> bool:
    tick = next_tick(expression, last)
    return tick is not None and tick <= moment
