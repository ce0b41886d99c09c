"""What ``put file`` reads: local files and directories, standard input, pipes and URLs; S3 in `objects`."""

from __future__ import annotations

import io
import os
import stat
import sys
from array import array
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from typing_extensions import Buffer

from jupyter_dvmount.store import CommitWriter, Conflict, Denied, Invalid, NotFound, Progress, Unavailable

BLOCK = 1 << 20
URL_SCHEMES = ("http://", "https://")
S3_SCHEME = "s3://"
URL_TIMEOUT_SECONDS = 60.0
"""A server that is silent for so long is taken for dead."""
STDIN = "-"


class Source(Protocol):
    """Something that can be written to a commit."""

    label: str
    files: int
    size: int | None

    def write(self, writer: CommitWriter, *, append: bool, progress: Progress) -> None:
        """Write everything."""

    def verify(self) -> None:
        """Raise `Conflict` if what was read had changed meanwhile."""


class Entry(NamedTuple):
    """A regular file below a source."""

    relative: str
    local: os.DirEntry[str] | Path

    @property
    def path(self) -> str:
        """Where it is."""
        return os.fspath(self.local)

    @property
    def size(self) -> int:
        """Bytes in it."""
        return self.local.stat().st_size

    @property
    def mark(self) -> int:
        """What tells one state of it from another."""
        status = self.local.stat()
        return hash((self.relative, status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev))


class LocalSource:
    """A local file or directory, as it is when this is made.

    Symbolic links are followed, since a store has none and a link left out would be data lost without
    a word; a loop of them, a dangling one, and anything that is neither file nor directory is an error.
    Empty directories leave no trace: in a store, directories appear with the files in them.

    Parameters
    ----------
    path
        The file or directory.
    target
        Path of it in the commit.
    """

    def __init__(self, path: str, target: str) -> None:
        self.label = path
        self._target = target
        self._marks = array("q")  # 8 bytes a file, so that a tree of millions stays cheap
        total = 0
        for entry in self._walk():
            if not os.access(entry.path, os.R_OK):
                raise Denied(f"cannot read {entry.path}: permission denied", fix="nothing was committed")
            total += entry.size
            self._marks.append(entry.mark)
        self.files = len(self._marks)
        self.size: int | None = total
        if not self.files:
            raise Invalid(f"nothing to put: {path} has no files")

    def write(self, writer: CommitWriter, *, append: bool, progress: Progress) -> None:
        """See `Source`."""
        if not append:
            parent, _, name = self._target.rpartition("/")
            single = not Path(self.label).is_dir()
            base = (parent or "/") if single else self._target
            files = ((name if single else e.relative, e.local) for e in self._walk())
            writer.put_tree(base, files, progress=progress)
            return
        done = 0
        for count, entry in enumerate(self._walk(), 1):
            writer.put(self._place(entry), entry.local, append=True)
            done += entry.size
            progress(count, done)

    def verify(self) -> None:
        """See `Source`."""
        for mark, entry in zip_longest(self._marks, self._walk()):
            if entry is None or entry.mark != mark:
                where = entry.path if entry else self.label
                raise Conflict(
                    f"{where} changed while {self.label} was being read, so nothing was committed",
                    fix="try again when nothing writes there",
                )

    def _place(self, entry: Entry) -> str:
        return f"{self._target.rstrip('/')}/{entry.relative}" if entry.relative else self._target

    def _walk(self) -> Iterator[Entry]:
        try:
            yield from _walk(self.label)
        except OSError as error:
            raise unreadable(error, self.label) from error


def _walk(root: str) -> Iterator[Entry]:
    """Regular files at and below ``root``, by name; not recursive, as trees may be deeper than that.

    What a directory says of its entries is enough to tell files from directories: no call for each file.
    """
    ahead: list[tuple[Entry, tuple[tuple[int, int], ...]]] = [(Entry("", Path(root)), ())]
    while ahead:
        entry, above = ahead.pop()  # ``above`` are the directories that lead there
        if entry.local.is_dir():
            status = entry.local.stat()
            identity = (status.st_dev, status.st_ino)
            if identity in above:
                raise Invalid(
                    f"{entry.path} is a symbolic link to a directory above it", fix="remove the link"
                )
            prefix, within = f"{entry.relative}/" if entry.relative else "", (*above, identity)
            with os.scandir(entry.local) as found:
                below = sorted(found, key=lambda one: one.name, reverse=True)
            ahead += [(Entry(prefix + one.name, one), within) for one in below]
        elif entry.local.is_file():
            yield entry
        else:
            entry.local.stat()  # says so where nothing is there any more
            raise Invalid(
                f"{entry.path} is neither a file nor a directory",
                fix="leave it out; a pipe or device can be put alone, to a path of its own",
            )


class StreamSource:
    """Bytes that can be read once: standard input, a pipe, a URL.

    Parameters
    ----------
    location
        ``-``, a URL, or a path.
    target
        Path of the file in the commit.
    """

    def __init__(self, location: str, target: str) -> None:
        self.label = "standard input" if location == STDIN else location
        self.files = 1
        self.size: int | None = None
        self._location = location
        self._target = target

    def write(self, writer: CommitWriter, *, append: bool, progress: Progress) -> None:
        """See `Source`."""
        # Every command would pay for them at its start.
        from http.client import HTTPException
        from urllib.error import HTTPError, URLError

        try:
            with _open(self._location) as stream:
                counted = Counted(stream, progress)
                writer.put(self._target, io.BufferedReader(counted, BLOCK), append=append)
                _check_length(stream, counted.count, self.label)
        except HTTPError as error:
            raise NotFound(f"cannot get {self.label}: {error.code} {error.reason}") from error
        except (URLError, HTTPException, TimeoutError) as error:
            raise Unavailable(f"cannot get {self.label}: {_reason(error)}") from error
        progress(1, counted.count)

    def verify(self) -> None:
        """A stream has no earlier state to compare with."""


class Readable(Protocol):
    """All that is wanted of a stream."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""


class Counted(io.RawIOBase):
    """Counts what is read through it."""

    def __init__(self, stream: Readable, progress: Progress) -> None:
        self.count = 0
        self._stream = stream
        self._progress = progress

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Read on and count."""
        view = memoryview(buffer).cast("B")
        block = self._stream.read(len(view))
        view[: len(block)] = block
        self.count += len(block)
        self._progress(0, self.count)
        return len(block)


def _open(location: str) -> AbstractContextManager[BinaryIO]:
    if location == STDIN:
        return nullcontext(sys.stdin.buffer)
    if is_url(location):
        from urllib.request import urlopen

        try:
            opened: AbstractContextManager[BinaryIO] = urlopen(location, timeout=URL_TIMEOUT_SECONDS)  # noqa: S310
        except UnicodeError:  # of the encoding of international names
            raise Invalid(f"cannot get {location}: no host can have this name") from None
        return opened
    return Path(location).open("rb")


def _reason(error: Exception) -> str:
    """The words of a network error without its number; what failed is often wrapped in another error."""
    inner = getattr(error, "reason", error)
    return getattr(inner, "strerror", None) or str(inner) or type(inner).__name__


def _check_length(stream: BinaryIO, count: int, label: str) -> None:
    """A connection that breaks looks like the end of the file: compare with what was announced."""
    headers = getattr(stream, "headers", None)
    announced = headers.get("Content-Length") if headers is not None else None
    if announced is not None and int(announced) != count:
        raise Unavailable(f"{label} ended after {count} of {announced} bytes", fix="try again")


def is_url(location: str) -> bool:
    """Whether it is fetched from a web server."""
    return location.startswith(URL_SCHEMES)


def is_s3(location: str) -> bool:
    """Whether it is fetched from S3."""
    return location.startswith(S3_SCHEME)


def is_directory(location: str, *, recursive: bool) -> bool:
    """Whether what is put becomes a directory."""
    if is_s3(location):
        return recursive
    return not is_url(location) and location != STDIN and Path(location).is_dir()


def check_location(location: str) -> None:
    """Refuse what can be no source, before anything is made of its parts.

    Raises
    ------
    Invalid
        If it is empty, which would be the working directory, or a URL that is malformed or not fetched.
        The message shows no password.
    """
    if not location:
        raise Invalid("the name of a source is empty", fix="write . for the working directory")
    if "://" in location and not is_s3(location):
        _check_url(location)


def _check_url(url: str) -> None:
    try:
        shown = without_password(url)
    except ValueError:
        raise Invalid("the URL of a source cannot be parsed", fix="write https://host/path") from None
    if not is_url(url):
        raise Invalid(f"cannot get {shown}", fix="only http://, https:// and s3:// are fetched")
    if shown != url:
        raise Invalid(
            f"cannot get {shown}: names and passwords in a URL are not used",
            fix="pipe it in instead, as in: curl --netrc URL | dvmount put file REPO@BRANCH:/PATH",
        )


def without_password(url: str) -> str:
    """A URL as it may be shown."""
    netloc = urlsplit(url).netloc
    return url.replace(netloc, netloc.rpartition("@")[2], 1) if "@" in netloc else url


def own_name(location: str) -> str:
    """What a source is called where the user did not name the target; empty for a stream."""
    if location == STDIN:
        return ""
    if is_s3(location):
        return location.rstrip("/").rpartition("/")[2]
    if is_url(location):
        return unquote(urlsplit(location).path).rpartition("/")[2]
    return Path(os.path.abspath(location)).name  # noqa: PTH100 - a link keeps its own name


def unreadable(error: OSError, label: str) -> Exception:
    """An operating system's error about something local, as one of ours."""
    name = error.filename if isinstance(error.filename, str) else label
    message = f"cannot read {name}: {(error.strerror or str(error)).lower()}"
    if isinstance(error, FileNotFoundError):
        return NotFound(message, fix="nothing was committed")
    return Denied(message, fix="nothing was committed")


def source(location: str, target: str, *, recursive: bool) -> Source:
    """Look at ``location``, which `check_location` lets pass, and choose how it is read.

    Raises
    ------
    NotFound, Denied
        If it cannot be read.
    Invalid
        If it is a directory and ``recursive`` is false.
    """
    if is_s3(location):
        from .objects import ObjectSource

        return ObjectSource(location, target, recursive=recursive)
    if location == STDIN or is_url(location):
        return StreamSource(location, target)
    try:
        mode = Path(location).stat().st_mode
    except OSError as error:
        raise unreadable(error, location) from error
    if stat.S_ISDIR(mode) and not recursive:
        raise Invalid(f"{location} is a directory", fix="add -r to put what is in it")
    if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
        return LocalSource(location, target)
    return StreamSource(location, target)
