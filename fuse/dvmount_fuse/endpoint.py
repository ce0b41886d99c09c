"""The mountpoint seen from outside, without touching it: a dead or stuck mount would answer late or never."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from jupyter_dvmount.store import Unavailable

from .device import HELPER, detach

log = logging.getLogger("jupyter_dvmount.fuse")

_OCTAL = re.compile(r"\\([0-7]{3})")
_TRIES = 16  # more mounts on top of each other than any accident makes


def mounted_device(mountpoint: Path) -> str | None:
    """``major:minor`` of what is mounted at a directory, or None; from the kernel's own table."""
    wanted = os.path.realpath(mountpoint.parent) + "/" + mountpoint.name
    found = None
    with Path("/proc/self/mountinfo").open(encoding="utf-8", errors="surrogateescape") as table:
        for line in table:
            fields = line.split(" ", 5)
            if _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4]) == wanted:
                found = fields[2]
    return found


def clean(mountpoint: Path) -> None:
    """Take away whatever is mounted at a directory, lazily: files that are open stay open.

    Raises
    ------
    Unavailable
        If it is still mounted afterwards.
    """
    why = ""
    for _ in range(_TRIES):
        if mounted_device(mountpoint) is None:
            return
        log.info("unmounting %s", mountpoint)
        why = detach(mountpoint)
        if why:
            log.warning("unmounting %s failed: %s", mountpoint, why)
            break
    if mounted_device(mountpoint) is not None:
        raise Unavailable(f"cannot unmount {mountpoint}: {why}", fix=f"{HELPER} -u -z {mountpoint}")


def widen_readahead(mountpoint: Path, size: int) -> None:
    """Let the kernel read ahead further than its 128 KiB, where the user may say so (root only).

    Parameters
    ----------
    mountpoint
        Of a mount that is there.
    size
        Bytes.
    """
    device = mounted_device(mountpoint)
    if device is None:
        return
    try:
        Path(f"/sys/class/bdi/{device}/read_ahead_kb").write_text(str(size // 1024), encoding="ascii")
    except OSError as error:
        log.debug("read-ahead stays as it is: %s", error)
