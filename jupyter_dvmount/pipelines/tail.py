"""The logs of a job read on as one text, attempt by attempt in the order in which they began."""

from __future__ import annotations

import re
from collections import deque
from contextlib import suppress
from datetime import datetime, timezone

import msgspec

from jupyter_dvmount.store import Invalid, NotFound

from .logs import LogKey, LogLine, LogStore

_SIZE = 256 << 10  # bytes read for one part, as far as that is possible
_LOOK = 256  # bytes that could be read in the time of opening a log
_PLACE = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15}:[0-9]{1,15})*")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a log with where it comes from.

    Parameters
    ----------
    job, datum, attempt
        Whose it is; the job as ``pipeline@id``.
    time
        When it was printed.
    text
        The line.
    engine
        Whether the engine says it, not the code.
    """

    job: str
    datum: str
    attempt: int
    time: datetime
    text: str
    engine: bool


class LogPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the logs of a job.

    Parameters
    ----------
    items
        Lines; those of an attempt are in order.
    next
        The place up to which this is, to read on from.
    more
        Whether there is more already.
    ended
        Whether there will never be more.
    """

    items: list[Line]
    next: str
    more: bool
    ended: bool = False


def read_on(
    logs: LogStore, directory: str, job: str, after: str = "", *, datum: str = "", failed: bool = False
) -> LogPart:
    """Read the logs of a job on from a place.

    Parameters
    ----------
    directory
        What the job's logs are filed under.
    job
        What lines call it.
    after
        The ``next`` of an earlier part, of the same job and with the same filters; empty for the beginning.
    datum
        Only of datums whose ids begin like this.
    failed
        Only of attempts that have failed; what an attempt has printed comes when it is over.

    Raises
    ------
    Invalid
        If the place is none.
    """
    at, held = _parse(after)
    begun = logs.begun(directory, at)
    items: list[Line] = []
    silent: list[tuple[int, int]] = []  # logs that may go on, and how far they have been read
    left = _SIZE
    while left > 0:
        if held:
            place, offset = held.popleft()
            key = _entry(logs, directory, place)
        else:
            found = next(begun, None)
            if found is None:
                break
            place, offset, key, at = found.place, 0, found.key, found.next
        if not key.datum.startswith(datum):
            continue
        left -= _LOOK
        if failed and (end := logs.end(key)) != "failed":
            silent += [] if end else [(place, 0)]
            continue
        lines, reached, is_over = _read(logs, key, offset, left)
        items += (_shown(job, key, line) for line in lines if line.text or not line.end)
        left -= reached - offset
        if not is_over:
            silent.append((place, reached))
    return LogPart(items=items, next=_place(at, [*held, *silent]), more=left <= 0)


def _entry(logs: LogStore, directory: str, place: int) -> LogKey:
    for found in logs.begun(directory, place):
        return found.key
    raise Invalid(f"no log begins at {place}", fix="begin without a place")


def _read(logs: LogStore, key: LogKey, offset: int, size: int) -> tuple[list[LogLine], int, bool]:
    """Lines of a log from an offset on, about ``size`` bytes; up to where, and whether it is over."""
    lines: list[LogLine] = []
    first = offset
    with suppress(NotFound):  # it has been entered and not been written to, or its job is gone
        while offset - first < size:
            page = logs.read(key, offset)
            lines += page.lines
            if page.ended or page.offset == offset:
                return lines, page.offset, page.ended
            offset = page.offset
    return lines, offset, False


def _shown(job: str, key: LogKey, line: LogLine) -> Line:
    return Line(
        job=job,
        datum=key.datum,
        attempt=key.attempt,
        time=datetime.fromtimestamp(line.time, timezone.utc),
        text=f"{line.end}: {line.text}" if line.end else line.text,
        engine=line.engine,
    )


def _parse(place: str) -> tuple[int, deque[tuple[int, int]]]:
    """How far the order of the logs has been read, and which of the logs before that how far."""
    if not place:
        return 0, deque()
    if not _PLACE.fullmatch(place):
        raise Invalid(f"{place[:40]!r} is no place in a log", fix="begin without one")
    at, *held = place.split(".")
    pairs = (each.partition(":") for each in held)
    return int(at), deque((int(where), int(offset)) for where, _, offset in pairs)


def _place(at: int, held: list[tuple[int, int]]) -> str:
    return ".".join([str(at), *(f"{where}:{offset}" for where, offset in held)])
