"""The store's directory: find it, make it, refuse what is not one (``docs/format.md``, the directory)."""

from __future__ import annotations

import fcntl
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from jupyter_dvmount.store.base import Corrupt, Denied, Invalid, NotFound

from .blobs.local import sync_directory
from .failures import disk_errors
from .marker import MARKER, Marker, decode_marker, encode_marker

_CATALOG = "catalog.sqlite"
_OURS = {"packs", "journal", "tmp", "lock", "gc.lock", "format.new"} | {
    f"{_CATALOG}{end}" for end in ("", "-wal", "-shm", "-journal")
}
_HARMLESS = {"lost+found"}  # a disk of its own for the store
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs"}
MOUNTINFO = Path("/proc/self/mountinfo")
MakeCatalog = Callable[[Path, str], str]
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
        self.catalog = root / _CATALOG
        self.packs = root / "packs"
        self.tmp = root / "tmp"


def directory_of(url: str) -> Path:
    """The directory that ``file:///path`` means.

    Raises
    ------
    Invalid
        If the URL has a host, a query, a fragment or no absolute path.
    """
    parts = urlsplit(url)
    path = unquote(parts.path)
    more = parts.query or parts.fragment  # a directory's own # or ?, and not the directory that is left
    if parts.netloc not in {"", "localhost"} or not path.startswith("/") or "\0" in path or more:
        raise Invalid(
            f"illegal store URL {url!r}", fix="write file:///absolute/path, with %23 for # and %3F for ?"
        )
    return Path(path)


def open_layout(root: Path, *, create: bool, make_catalog: MakeCatalog) -> Layout:
    """Open the store in ``root``, or make it where ``create`` allows.

    Parameters
    ----------
    root
        Absolute directory.
    create
        Make a store that does not exist yet, with its parent directories.
    make_catalog
        Makes the catalog at a path for a store with an id; returns the id of the one that was there before.

    Raises
    ------
    NotFound, Denied, Unavailable, Invalid, Corrupt
        If there is none and none may be made, it cannot be written, is of a newer format or no store.
    """
    with disk_errors(f"cannot open the store {root}"):
        marker = _read_marker(root)
        if marker is None:
            if not create:
                raise NotFound(f"no store at {root}", fix="put a file to make one, or name another store")
            marker = _make(root, make_catalog)
    layout = _checked(root, marker)
    if not layout.catalog.exists():
        raise Corrupt(
            f"{layout.catalog} is missing",
            fix="make it anew with 'dvmount fsck --rebuild', or restore it from a backup",
        )
    return layout


def find_layout(root: Path) -> Layout:
    """The store in ``root``, whatever the state of its catalog.

    Raises
    ------
    NotFound, Denied, Unavailable, Invalid, Corrupt
        If there is none, it cannot be written, is of a newer format or no store.
    """
    with disk_errors(f"cannot open the store {root}"):
        marker = _read_marker(root)
    if marker is None:
        raise NotFound(f"no store at {root}", fix="name another store")
    return _checked(root, marker)


@contextmanager
def replacing_catalog(layout: Layout) -> Iterator[Path]:
    """A path for a new catalog, which takes the place of the old one when the block ends well.

    The old one is kept as ``catalog.sqlite.replaced``. Programs that have it open notice and stop using it.
    """
    fresh = layout.catalog.with_suffix(".new")
    with disk_errors(f"cannot replace {layout.catalog}"), FileLock(layout.root / "lock", timeout=30):
        for path in _with_logs(fresh):
            path.unlink(missing_ok=True)
        yield fresh
        sync_directory(layout.root)
        for path in _with_logs(layout.catalog):
            if path.exists():
                path.replace(path.with_name(path.name.replace(_CATALOG, f"{_CATALOG}.replaced")))
        fresh.rename(layout.catalog)
        sync_directory(layout.root)


def _with_logs(catalog: Path) -> list[Path]:
    """The files of a catalog, what it cannot do without last."""
    return [catalog.with_name(catalog.name + end) for end in ("-wal", "-shm", "-journal", "")]


def _checked(root: Path, marker: Marker) -> Layout:
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
    strangers = sorted({entry.name for entry in root.iterdir()} - _OURS - _HARMLESS - {MARKER})
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
        data = encode_marker(make_catalog(root / _CATALOG, uuid.uuid4().hex))
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


def is_on_network(path: Path) -> bool:
    """Whether ``path`` is on a file system where hosts cannot share memory."""
    return file_system(path) in _NETWORK


def file_system(path: Path) -> str:
    """Type of the file system that ``path`` is on, such as ``ext4``; empty where it cannot be told."""
    best = (0, "")
    for point, kind in _mounts():
        if path == point or point in path.parents:
            best = max(best, (len(point.parts), kind))
    return best[1]


def _mounts() -> Iterator[tuple[Path, str]]:
    try:
        lines = MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        left, _, right = line.partition(" - ")
        escaped = left.split(" ")[4].encode("utf-8", "surrogateescape")  # \040 is a space
        point = escaped.decode("unicode_escape").encode("latin-1").decode("utf-8", "surrogateescape")
        yield Path(point), right.split(" ")[0]
