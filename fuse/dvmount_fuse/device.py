"""Mounts and unmounts: attaches /dev/fuse to a directory.

Root asks the kernel itself, everybody else the setuid helper ``fusermount3``, which opens the device and
hands it over (``lib/mount.c`` of libfuse does both).
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from pathlib import Path

from jupyter_dvmount.store import Unavailable

from .wire import REQUEST

DEVICE = Path("/dev/fuse")
HELPER = "fusermount3"
INSTALL = "sudo apt-get install -y fuse3"

_PATIENCE = 30.0  # seconds for the helper
_FLAGS = 1 | 2 | 4  # MS_RDONLY | MS_NOSUID | MS_NODEV, linux/mount.h
_DETACH = 2  # MNT_DETACH, linux/fs.h
_OPTIONS = f"default_permissions,max_read={REQUEST}"
_libc = ctypes.CDLL(None, use_errno=True)
_COMMFD = "_FUSE_COMMFD"  # the helper's name for the socket on which the device comes


def attach(mountpoint: Path) -> int:
    """Mount, and return the descriptor on which the kernel's requests come.

    Parameters
    ----------
    mountpoint
        An existing directory.

    Raises
    ------
    Unavailable
        If the kernel or the helper refuses; the message says why.
    """
    return _by_kernel(mountpoint) if os.geteuid() == 0 else _by_helper(mountpoint)


def detach(mountpoint: Path) -> str:
    """Unmount lazily: files that are open stay open. Returns why it failed, or nothing."""
    if os.geteuid() == 0:
        if _libc.umount2(os.fsencode(mountpoint), _DETACH):
            return os.strerror(ctypes.get_errno())
        return ""
    try:
        done = subprocess.run(
            [HELPER, "-u", "-z", "--", os.fspath(mountpoint)],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return " ".join(done.stderr.split()) if done.returncode else ""


def _by_kernel(mountpoint: Path) -> int:
    try:
        device = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(mountpoint, f"{DEVICE}: {error.strerror}") from error
    options = f"fd={device},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()},{_OPTIONS}"
    if _libc.mount(b"dvmount", os.fsencode(mountpoint), b"fuse.dvmount", _FLAGS, options.encode()):
        os.close(device)
        raise _refused(mountpoint, os.strerror(ctypes.get_errno()))
    return device


def _by_helper(mountpoint: Path) -> int:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        options = f"ro,nosuid,nodev,fsname=dvmount,subtype=dvmount,{_OPTIONS}"
        try:
            done = subprocess.run(
                [HELPER, "-o", options, "--", os.fspath(mountpoint)],
                env={**os.environ, _COMMFD: str(theirs.fileno())},
                pass_fds=[theirs.fileno()],
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise _refused(mountpoint, str(error)) from error
        if done.returncode:
            raise _refused(mountpoint, " ".join(done.stderr.split()) or f"{HELPER} gave {done.returncode}")
        ours.settimeout(_PATIENCE)
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    if not descriptors:
        raise _refused(mountpoint, f"{HELPER} handed no device over")
    os.set_inheritable(descriptors[0], False)
    return descriptors[0]


def _refused(mountpoint: Path, why: str) -> Unavailable:
    return Unavailable(f"mounting {mountpoint} failed: {why}", fix="dvmount doctor tells what is missing")
