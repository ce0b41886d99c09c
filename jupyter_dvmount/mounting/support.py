"""Whether FUSE works here, by trying what can be tried without mounting; and which mode a mount gets."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path

import msgspec

from dvmount_fuse.device import DEVICE, HELPER, INSTALL
from jupyter_dvmount.store import Invalid, Unavailable

from .model import Check, MountMode

MODE_VARIABLE = "DVMOUNT_MODE"
"""``auto`` (default), ``fuse`` (an error where FUSE does not work) or ``checkout`` (always copy)."""

_SYS_ADMIN = 1 << 21  # CAP_SYS_ADMIN, linux/capability.h
_CONTAINER = "start the container with --device /dev/fuse --cap-add SYS_ADMIN"


class Support(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome: ``why`` FUSE cannot be used and the ``fix``, both empty where it can."""

    why: str = ""
    fix: str = ""

    @property
    def usable(self) -> bool:
        """Whether FUSE can be used."""
        return not self.why


def fuse_support() -> Support:
    """Find out whether this process can mount with FUSE."""
    if sys.platform != "linux":
        return Support(why=f"FUSE mounts are not supported on {sys.platform}", fix="use Linux")
    return _device() or _privilege() or Support()


def _device() -> Support | None:
    try:
        os.close(os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        return Support(why="there is no /dev/fuse", fix=f"sudo modprobe fuse, or {_CONTAINER}")
    except OSError as error:
        return Support(
            why=f"/dev/fuse cannot be opened: {error.strerror}",
            fix=f"sudo chmod 666 /dev/fuse, or {_CONTAINER}",
        )
    return None


def _privilege() -> Support | None:
    """Root needs CAP_SYS_ADMIN (containers take it away), everybody else a helper with the setuid bit."""
    process = _process()
    if os.geteuid() == 0:
        if int(process["CapEff"], 16) & _SYS_ADMIN:
            return None
        return Support(why="mounting is forbidden in this container", fix=_CONTAINER)
    helper = shutil.which(HELPER)
    if helper is None:
        return Support(why=f"there is no {HELPER} on the PATH", fix=INSTALL)
    status = Path(helper).stat()
    if not (status.st_mode & stat.S_ISUID and status.st_uid == 0):
        return Support(why=f"{helper} has lost its setuid bit", fix=f"sudo chmod u+s {helper}")
    if process.get("NoNewPrivs") == "1" or not int(process["CapBnd"], 16) & _SYS_ADMIN:
        return Support(why=f"{helper} may not gain privileges here", fix=_CONTAINER)
    return None


def _process() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def wanted_mode() -> str:
    """What `MODE_VARIABLE` says; `Invalid` if it says something else."""
    mode = os.environ.get(MODE_VARIABLE) or "auto"
    if mode not in {"auto", "fuse", "checkout"}:
        raise Invalid(f"{MODE_VARIABLE} is {mode!r}", fix="set it to auto, fuse or checkout")
    return mode


def choose_mode() -> MountMode:
    """How a mount is made here.

    Raises
    ------
    Unavailable
        If FUSE is demanded and does not work.
    """
    wanted = wanted_mode()
    if wanted == "checkout":
        return "checkout"
    support = fuse_support()
    if support.usable:
        return "fuse"
    if wanted == "fuse":
        raise Unavailable(support.why, fix=support.fix)
    return "checkout"


def check() -> Check:
    """The line of the health strip about mounting."""
    label = "Mounting"
    try:
        wanted = wanted_mode()
    except Invalid as error:
        return Check(id="mount", label=label, status="missing", detail=error.message, fix=error.fix)
    if wanted == "checkout":
        detail = f"files are copied, because {MODE_VARIABLE} says so"
        return Check(id="mount", label=label, status="limited", detail=detail, fix=f"unset {MODE_VARIABLE}")
    support = fuse_support()
    if support.usable:
        return Check(id="mount", label=label, status="ok", detail="FUSE: files are read when they are opened")
    if wanted == "fuse":
        return Check(id="mount", label=label, status="missing", detail=support.why, fix=support.fix)
    detail = f"files are copied when a commit is mounted, because {support.why}"
    return Check(id="mount", label=label, status="limited", detail=detail, fix=support.fix)
