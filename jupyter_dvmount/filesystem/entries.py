"""Paths of the file system, and what is found at them.

A path is ``repo@ref/path``: always with a ref, so that whatever is listed begins with what was asked for.
"""

from __future__ import annotations

import errno
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from jupyter_dvmount.store import (
    DEFAULT_BRANCH,
    Branch,
    CommitReader,
    Conflict,
    FileInfo,
    Location,
    NotFound,
    VersionStore,
    check_path,
    parse,
)
from jupyter_dvmount.store.uri import SCHEME, is_commit_id, split_ref

from .errors import os_error

Details = dict[str, Any]
"""What fsspec wants to know of a file or directory."""


def normal(text: str) -> str:
    """A path as it is used here, from one that may be a URL, which is percent-encoded, or lack its ref."""
    root, inner = split(text.removeprefix(SCHEME).strip("/"))
    return join(root, unquote(inner) if text.startswith(SCHEME) else inner)


def url(path: str) -> str:
    """The URL of a path."""
    root, inner = split(path)
    return SCHEME + join(root, quote(inner))


def split(path: str) -> tuple[str, str]:
    """``repo@ref`` and what is behind it; both are empty for the root of everything."""
    if not path:
        return "", ""
    repo, at, rest = path.partition("@")
    if not at:
        repo, _, inner = path.partition("/")
        return f"{repo}@{DEFAULT_BRANCH}", inner
    ref, _, inner = rest.partition("/")
    return f"{repo}@{ref}", inner


def join(root: str, inner: str) -> str:
    """The counterpart of `split`."""
    return f"{root}/{inner}" if inner else root


def locate(path: str) -> Location:
    """Parse a path; raises `Invalid`."""
    root, inner = split(path)
    location = parse(root)
    return Location(repo=location.repo, ref=location.ref, path=check_path(inner))


class Entry(NamedTuple):
    """A file or directory.

    Parameters
    ----------
    root
        ``repo@ref`` as it was asked for.
    file
        What it is.
    reader
        The commit that it was found in; None in a repository or branch without one, which is empty.
    """

    root: str
    file: FileInfo
    reader: CommitReader | None

    def details(self) -> Details:
        """What fsspec wants to know, the name with its root."""
        details: Details = {
            "name": join(self.root, self.file.path.strip("/")),
            "type": "file" if self.file.type == "file" else "directory",
            "size": self.file.size,
            "hash": self.file.hash,
            "commit": self.file.commit,
        }
        if self.reader is not None:
            details |= {"created": self.time, "mtime": self.time.timestamp()}
        return details

    @property
    def time(self) -> datetime:
        """When the commit was finished."""
        commit = self.content.commit
        return commit.finished or commit.started

    @property
    def content(self) -> CommitReader:
        """The reader, of an entry that has content."""
        if self.reader is None:
            raise os_error(errno.ENOENT, f"{self.root} has no commit yet")
        return self.reader

    def beside(self, file: FileInfo) -> Entry:
        """Another entry of the same commit."""
        return Entry(self.root, file, self.reader)


def find_entry(store: VersionStore, path: str) -> Entry | None:
    """What is at a path, or None.

    Raises
    ------
    NotFound
        If there is no such repo, branch or commit.
    """
    location = locate(path)
    root = f"{location.repo}@{location.ref}"
    try:
        reader = store.read(location.repo, location.ref)
    except (NotFound, Conflict):
        if not _is_empty(store, location):
            raise
        return Entry(root, FileInfo(path="/", type="dir"), None) if location.path == "/" else None
    file = reader.lookup(location.path)
    return None if file is None else Entry(root, file, reader)


def find_branch(store: VersionStore, location: Location) -> Branch | None:
    """The branch that a location names, or None if its ref is none."""
    base, steps = split_ref(location.ref)
    if steps or is_commit_id(base):
        return None
    try:
        return store.inspect_branch(location.repo, base)
    except NotFound:
        return None


def _is_empty(store: VersionStore, location: Location) -> bool:
    """Whether it is a branch without a commit, as the default branch of a new repository is."""
    branch = find_branch(store, location)
    if branch is None:
        return location.ref == DEFAULT_BRANCH and store.inspect_repo(location.repo) is not None
    return branch.head is None
