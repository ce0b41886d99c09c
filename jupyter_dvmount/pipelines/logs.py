"""Logs: one file an attempt, a JSON record a line, without secrets, readable while it grows."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from jupyter_dvmount.store import Invalid, NotFound, Unavailable

from .scrub import Scrubber

CAP = 16 << 20
"""Bytes of an attempt's output that are kept; short lines cost what their records do."""
LINE = 16 << 10
"""Bytes after which a line without an end is cut."""

_RECORD = 40  # bytes of a line's record besides its text
_PAGE = 128 << 10  # bytes read at a time: more than a line can be, with every character escaped
_END_LOOK = 4096  # bytes at the end of a file in which its last record is
_NAME = re.compile(r"[\w.@-]{1,200}")
_ORDER = "order"
_ENTRY = re.compile(rb"(?P<datum>[\w.@-]+)-(?P<attempt>\d{4,})\n")


class LogLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a log.

    Parameters
    ----------
    time
        When it was printed, in seconds since 1970 UTC.
    text
        The line; bytes that are not UTF-8 are replaced.
    engine
        Whether the engine says it, not the code.
    end
        On the last line: how the attempt ended (`sandbox.plan.State`).
    """

    time: float
    text: str
    engine: bool = False
    end: str = ""


class LogKey(msgspec.Struct, frozen=True, order=True):
    """Names one log: job, datum and attempt (from 1)."""

    job: str
    datum: str
    attempt: int


class Begun(msgspec.Struct, frozen=True):
    """A log in the order in which those of a job began: its place there, and that of the one after it."""

    key: LogKey
    place: int
    next: int


def log_name(pipeline: str, job: str) -> str:
    """What the logs of a job are filed under, and its other files."""
    return f"{pipeline.replace('/', '@')}@{job}"


class LogPage(msgspec.Struct, frozen=True):
    """Part of a log: ``offset`` is where the next one begins, ``ended`` whether there will be no more."""

    lines: list[LogLine]
    offset: int
    ended: bool


class Recorder:
    """Turns what an attempt prints into lines that may be kept and shown.

    Parameters
    ----------
    secrets
        Values that are replaced.
    cap
        Bytes after which the rest is counted and dropped.
    """

    def __init__(self, secrets: Iterable[bytes] = (), cap: int = CAP) -> None:
        self._scrubber = Scrubber(secrets)
        self._rest = b""
        self._left = cap
        self._dropped = 0

    def feed(self, data: bytes) -> list[LogLine]:
        """The lines that are complete with ``data``."""
        if self._left <= 0:
            self._dropped += len(data)
            return []
        return self._cut(self._scrubber.feed(data))

    def finish(self) -> list[LogLine]:
        """The last line, and what was dropped."""
        lines = self._cut(self._scrubber.finish())
        if self._rest:
            lines.append(_line(self._rest))
            self._rest = b""
        if self._dropped:
            text = f"{self._dropped} more bytes were printed and not kept"
            lines.append(LogLine(time=time.time(), text=text, engine=True))
        return lines

    def _cut(self, data: bytes) -> list[LogLine]:
        kept = data[: max(self._left, 0)]
        self._dropped += len(data) - len(kept)
        *lines, self._rest = (self._rest + kept).split(b"\n")
        while len(self._rest) >= LINE:
            lines.append(self._rest[:LINE])
            self._rest = self._rest[LINE:]
        self._left -= len(kept) + _RECORD * kept.count(b"\n")
        return [_line(line) for line in lines]


def _line(data: bytes) -> LogLine:
    last = data.rstrip(b"\r").rpartition(b"\r")[2]  # what a progress bar has left on the screen
    return LogLine(time=time.time(), text=last.decode(errors="replace"))


class LogStore:
    """The logs of all jobs below a directory.

    Parameters
    ----------
    directory
        Where they are; made when needed, private to the user. Each job has a directory, with a file for each
        attempt and one that names them in the order in which they began.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def append(self, key: LogKey, lines: Sequence[LogLine]) -> None:
        """Add lines; `Unavailable` if the disk does not take them."""
        path = self._path(key)
        encoded = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        try:
            if not path.exists():
                self._enter(path)
            with path.open("ab", buffering=0) as file:
                file.write(encoded)
        except OSError as error:
            raise Unavailable(f"cannot write {path}: {error.strerror}", fix="see to the disk") from error

    def read(self, key: LogKey, offset: int = 0) -> LogPage:
        """Lines from a byte offset on, at most about 1 MiB of them.

        Raises
        ------
        NotFound
            If there is no such log.
        Invalid
            If the offset is not one that a page gave.
        """
        try:
            with self._path(key).open("rb") as file:
                if offset and (file.seek(offset - 1), file.read(1)) != (offset - 1, b"\n"):
                    raise Invalid(f"{offset} is no offset in this log", fix="begin at 0")
                data = file.read(_PAGE)
        except FileNotFoundError:
            raise NotFound(f"no log of datum {key.datum}", fix="it has not been started yet") from None
        whole = data[: data.rfind(b"\n") + 1]
        lines = [line for part in whole.splitlines() if (line := _decode(part)) is not None]
        return LogPage(lines, offset + len(whole), bool(lines and lines[-1].end))

    def begun(self, job: str, place: int = 0) -> Iterator[Begun]:
        """The logs of a job in the order in which they began, from a place on.

        Raises
        ------
        Invalid
            If the place is not one that a log before gave.
        """
        with suppress(FileNotFoundError), self._order(job).open("rb") as file:
            if place and (file.seek(place - 1), file.read(1)) != (place - 1, b"\n"):
                raise Invalid(f"{place} is no place among these logs", fix="begin at 0")
            for line in file:
                if not line.endswith(b"\n"):
                    return  # it is being written
                begins, place = place, place + len(line)
                if entry := _ENTRY.fullmatch(line):
                    key = LogKey(job, entry["datum"].decode(), int(entry["attempt"]))
                    yield Begun(key, begins, place)

    def end(self, key: LogKey) -> str:
        """How an attempt has ended; empty while it goes on, or if that was not written down."""
        with suppress(OSError), self._path(key).open("rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - _END_LOOK, 0))
            line = _decode(file.read().rstrip(b"\n").rpartition(b"\n")[2])
            return line.end if line is not None else ""
        return ""

    def delete(self, job: str) -> None:
        """Remove the logs of a job."""
        shutil.rmtree(self._order(job).parent, ignore_errors=True)

    def _enter(self, path: Path) -> None:
        """Add a log to the order of its job's, before there is anything in it."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (path.parent / _ORDER).open("ab", buffering=0) as file:
            file.write(f"\n{path.stem}\n".encode())  # on a line of its own whatever a full disk has cut short

    def _order(self, job: str) -> Path:
        if not _NAME.fullmatch(job) or job.strip(".") == "":
            raise NotFound(f"no log of job {job!r}", fix="list the jobs")
        return self._directory / job / _ORDER

    def _path(self, key: LogKey) -> Path:
        if not _NAME.fullmatch(key.datum):
            raise NotFound(f"no log of datum {key.datum!r}", fix="list the datums of the job")
        return self._order(key.job).with_name(f"{key.datum}-{key.attempt:04d}.jsonl")


def _decode(part: bytes) -> LogLine | None:
    with suppress(msgspec.DecodeError):  # a line that a full disk has cut short
        return msgspec.json.decode(part, type=LogLine)
    return None
