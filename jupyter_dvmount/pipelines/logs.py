"""Logs: one file an attempt, a JSON record a line, without secrets, readable while it grows."""

from __future__ import annotations

import re
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
_PAGE = 1 << 20
_POLL = 0.1  # seconds between two looks at a log that is followed
_END_LOOK = 4096  # bytes at the end of a file in which its last record is
_NAME = re.compile(r"[\w.@-]{1,200}")


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
        Where they are; made when needed, private to the user.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def append(self, key: LogKey, lines: Sequence[LogLine]) -> None:
        """Add lines; `Unavailable` if the disk does not take them."""
        path = self._path(key)
        encoded = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
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

    def follow(self, key: LogKey, offset: int = 0) -> Iterator[LogPage]:
        """Pages as they come, up to the end of the attempt; an empty one when there is nothing new."""
        while True:
            page = self.read(key, offset)
            yield page
            if page.ended:
                return
            if page.offset == offset:
                time.sleep(_POLL)
            offset = page.offset

    def list(self, job: str, *, datum: str = "", failed: bool = False) -> Iterator[LogKey]:
        """Logs of a job by datum and attempt: of one datum, or of failed attempts, if asked."""
        if not _NAME.fullmatch(job):
            return
        for path in sorted((self._directory / job).glob("*.jsonl")):
            name, _, number = path.stem.rpartition("-")
            if number.isdigit() and (not datum or name == datum) and (not failed or _end(path) == "failed"):
                yield LogKey(job, name, int(number))

    def delete(self, job: str) -> None:
        """Remove the logs of a job."""
        for key in [*self.list(job)]:
            self._path(key).unlink(missing_ok=True)
        with suppress(OSError):
            (self._directory / job).rmdir()

    def _path(self, key: LogKey) -> Path:
        if not _NAME.fullmatch(key.job) or not _NAME.fullmatch(key.datum) or key.job.strip(".") == "":
            raise NotFound(f"no log of job {key.job!r}", fix="list the jobs")
        return self._directory / key.job / f"{key.datum}-{key.attempt:04d}.jsonl"


def _decode(part: bytes) -> LogLine | None:
    with suppress(msgspec.DecodeError):  # a line that a full disk has cut short
        return msgspec.json.decode(part, type=LogLine)
    return None


def _end(path: Path) -> str:
    with suppress(OSError), path.open("rb") as file:
        file.seek(max(path.stat().st_size - _END_LOOK, 0))
        line = _decode(file.read().rstrip(b"\n").rpartition(b"\n")[2])
        return line.end if line is not None else ""
    return ""
