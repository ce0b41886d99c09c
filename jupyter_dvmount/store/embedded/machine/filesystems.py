"""What is particular about the file system that something is on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs"}


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


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
