"""The store's directory: find it, make it, refuse what is not one (``docs/format.md``, the directory)."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from jupyter_dvmount.store.embedded.machine.failures import disk_errors
from jupyter_dvmount.store.embedded.machine.filesystems import sync_directory
from jupyter_dvmount.store.errors import Denied, Invalid, NoStore

from .marker import MARKER, Marker, decode_marker, encode_marker

_OURS = re.compile(r"packs|journal|tmp|lock|format\.new|catalog\.(sqlite.*|new.*|[a-z]+\.lock)")
_HARMLESS = {"lost+found"}  # a disk of its own for the store
MakeCatalog = Callable[[str], str]
_RUBBISH_AGE = 60.0  # seconds; between making a temporary pack and locking it pass microseconds
_log = logging.getLogger("jupyter_dvmount.store")


class Layout:
    """Paths of one store.

    Parameters
    ----------
    root
        Absolute directory.
    id
        The store's id.
    """

    def __init__(self, root: Path, id: str) -> None:
        self.root = root
        self.id = id
        self.packs = root / "packs"
        self.tmp = root / "tmp"


def open_layout(root: Path, make_catalog: MakeCatalog | None) -> Layout:
    """Open the store in ``root``, or make it with its parent directories.

    Parameters
    ----------
    root
        Absolute directory.
    make_catalog
        Makes the catalog for a store with an id; returns the id of the one that was there before. None if
        no store is to be made.

    Raises
    ------
    NoStore, Denied, Unavailable, Invalid, Corrupt
        If there is none and none may be made, it cannot be written, is of a newer format or no store.
    """
    with disk_errors(f"cannot open the store {root}"):
        marker = _read_marker(root)
        if marker is None:
            if make_catalog is None:
                raise NoStore(f"no store at {root}", fix="put a file to make one, or name another store")
            marker = _make(root, make_catalog)
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        raise Denied(
            f"the store directory {root} is not writable", fix="mend its permissions, or use another store"
        )
    return Layout(root, marker.id)


def _read_marker(root: Path) -> Marker | None:
    try:
        data = (root / MARKER).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        if root.exists() and not root.is_dir():
            raise Invalid(f"{root} is not a directory", fix="name a directory for the store") from None
        return None
    return decode_marker(data, str(root))


def _make(root: Path, make_catalog: MakeCatalog) -> Marker:
    root.mkdir(parents=True, exist_ok=True)
    names = {entry.name for entry in root.iterdir()} - _HARMLESS - {MARKER}
    strangers = sorted(name for name in names if not _OURS.fullmatch(name))
    if strangers:
        raise Invalid(
            f"{root} is not a store and holds {strangers[0]!r}", fix="name a new or an empty directory"
        )
    with FileLock(root / "lock", timeout=30):
        marker = _read_marker(root)
        if marker is not None:
            return marker
        (root / "packs").mkdir(exist_ok=True)
        (root / "tmp").mkdir(exist_ok=True)
        data = encode_marker(make_catalog(uuid.uuid4().hex))
        fresh = root / "format.new"
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(root / MARKER)
        sync_directory(root)
    return decode_marker(data, str(root))


def remove_rubbish(staging: Path) -> None:
    """Delete temporary packs whose writer is dead: those that nobody holds a lock on."""
    try:
        paths = list(staging.iterdir())
    except OSError as error:
        _log.warning("cannot look for left-over temporary packs: %s", error)
        return
    for path in paths:
        try:
            with path.open("rb") as file:
                if time.time() - os.fstat(file.fileno()).st_mtime < _RUBBISH_AGE:
                    continue
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                _log.info("removed the unfinished pack %s of a dead writer", path.name)
        except OSError as error:  # locked, or another process was first
            _log.debug("left %s alone: %s", path.name, error)
