"""Open a store with the engine that is registered for its URL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from .errors import Invalid
from .model import Problem
from .protocol import Progress, VersionStore

ENTRY_POINTS = "jupyter_dvmount.stores"
REBUILDERS = "jupyter_dvmount.rebuilders"


def open_store(url: str, *, create: bool = True) -> VersionStore:
    """Open the store at ``url`` with the engine registered for its scheme.

    Parameters
    ----------
    url
        ``file:///path`` or ``s3://bucket/prefix`` for the embedded engine.
    create
        Make an embedded store that does not exist yet.

    Raises
    ------
    Invalid
        If no engine serves the scheme.
    NoStore
        If it does not exist and ``create`` is false.
    NotFound
        If what should hold it, such as a bucket, does not exist.
    Unavailable, Denied
        If it cannot be opened or is of a newer format.

    Notes
    -----
    Engines are entry points of the group ``jupyter_dvmount.stores``, named by URL scheme, each a
    callable ``(url, create) -> VersionStore``.
    """
    store: VersionStore = _engine(ENTRY_POINTS, url)(url, create=create)
    return store


def rebuild_store(url: str, *, progress: Progress | None = None) -> Iterator[Problem]:
    """Make what a store knows of itself anew from its stored data alone.

    Parameters
    ----------
    url
        As for `open_store`. Nobody should be using the store; those who do have to open it again.
    progress
        Called with (packs, bytes) seen so far.

    Yields
    ------
    Problem
        What cannot be recovered.

    Raises
    ------
    Invalid
        If no engine serves the scheme, or it cannot do this.
    StoreError
        If the store cannot be reached or holds too little. Nothing is changed then.

    Notes
    -----
    What can do it are entry points of the group ``jupyter_dvmount.rebuilders``, named by URL scheme.
    """
    problems: Iterator[Problem] = _engine(REBUILDERS, url)(url, progress=progress)
    return problems


def load_engine(url: str) -> None:
    """Import the engine that serves a URL, which takes a while; nothing is opened.

    Raises
    ------
    Invalid
        If no engine serves the scheme.
    """
    _engine(ENTRY_POINTS, url)


_DIRECTORY_FORM = "for a directory write file:///path/to/it"


def _engine(group: str, url: str) -> Any:
    from importlib.metadata import entry_points  # slow to import, and the mount's processes start without it

    try:
        scheme = urlsplit(url).scheme
    except ValueError:  # the words of the error, and the URL, may have a password
        raise Invalid("illegal store URL: it cannot be parsed", fix=_DIRECTORY_FORM) from None
    found = {point.name: point for point in entry_points(group=group)}
    if scheme not in found:
        known = ", ".join(sorted(found)) or "none"
        head, colon, _ = url.partition(":")
        shown = f"{head}:…" if colon else url  # the rest may have a password
        raise Invalid(
            f"no version store for URL {shown!r}: scheme {scheme or '(missing)'!r} is not known",
            fix=f"use one of these schemes: {known}; {_DIRECTORY_FORM}",
        )
    return found[scheme].load()
