"""Tier B: bubblewrap gives the code a root directory and a process namespace of its own, without an image."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cached_property
from pathlib import Path

from jupyter_dvmount.store import Unavailable

from .plan import PFS, Bind, Command, FailureClass, Launch, Place, Plan, Tier
from .users import identity_of

INSTALL = "sudo apt-get install -y bubblewrap"
_OWN = frozenset({"dev", "pfs", "proc", "sys", "tmp"})  # entries of / that the sandbox has of its own
_DEVICES = ("nvidia*", "dri", "kfd")  # graphics cards, which --dev leaves out
_CAPABILITIES = (  # what docker leaves root, without raw sockets and device nodes
    *("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE"),
    *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
)
_PROBE_PATIENCE = 10.0  # seconds


class Bubblewrap:
    """A `Sandbox` on top of bwrap(1).

    Parameters
    ----------
    program
        Absolute path of bwrap.
    hidden
        Directories that the code must not see, such as that of the secrets.
    """

    tier: Tier = "bubblewrap"

    def __init__(self, program: str, hidden: tuple[Path, ...] = ()) -> None:
        self._program = program
        self._hidden = hidden
        self.detail = f"bubblewrap ({program}): a private /pfs and /tmp, the rest of this machine read-only"

    def launch(self, plan: Plan, place: Place, command: Command) -> Launch:
        """Start bwrap with the mounts of ``place``."""
        identity = identity_of(plan.user)
        tmp = place.root / "tmp"
        for directory in (tmp, tmp / "home", place.out, *(bind.source for bind in place.kept)):
            directory.mkdir(exist_ok=True)
            if identity is not None:
                os.chown(directory, identity.uid, identity.gid)
        become: tuple[str, ...] = ()
        if identity is not None:
            groups = (
                ("--groups", ",".join(map(str, identity.groups))) if identity.groups else ("--clear-groups",)
            )
            become = ("setpriv", "--reuid", str(identity.uid), "--regid", str(identity.gid), *groups, "--")
        env = {"HOME": "/tmp/home", **place.env, **plan.env, **place.secret_env}  # noqa: S108 - a private one
        return Launch(
            argv=(*self._base, *self._mounts(place, tmp), *_directory(plan), "--", *become, *command.argv),
            env=env,
            cwd="/",
            stdin=command.stdin,
            wrapped=True,
        )

    def pfs(self, place: Place) -> str:
        """Itself."""
        return PFS

    def scratch(self, place: Place) -> tuple[Path, ...]:
        """The output and what is its /tmp; all else is read-only or in memory."""
        return (place.out, place.root / "tmp", *(bind.source for bind in place.kept))

    def explain(self, exit_code: int, output: bytes) -> tuple[FailureClass, str]:
        """What bwrap itself says when it cannot set things up."""
        if exit_code != 1 or not output.startswith(b"bwrap: "):
            return "", ""
        line = output.splitlines()[0].decode(errors="replace")
        mine = line.startswith(("bwrap: execvp", "bwrap: Can't chdir"))
        return ("user" if mine else "infrastructure"), line.removeprefix("bwrap: ")

    def reads_private(self, plan: Plan) -> bool:
        """If it runs as this user."""
        return identity_of(plan.user) is None

    def warnings(self, plan: Plan) -> list[str]:
        """There is no image here."""
        if not plan.image:
            return []
        return [f"image {plan.image} is not used: the programs of this machine run instead"]

    @cached_property
    def _base(self) -> tuple[str, ...]:
        """Namespaces, and / rebuilt from its entries: /pfs cannot be added to the machine's own."""
        arguments = [self._program, "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
        arguments += ["--die-with-parent", "--new-session"]
        if os.geteuid() == 0:
            arguments += ["--cap-drop", "ALL"]
            for each in _CAPABILITIES:
                arguments += ["--cap-add", f"CAP_{each}"]
        for entry in sorted(Path("/").iterdir()):
            if entry.name not in _OWN:
                arguments += _same(entry)
        arguments += ["--ro-bind-try", "/sys", "/sys", "--proc", "/proc", "--dev", "/dev"]
        for pattern in _DEVICES:
            for device in sorted(Path("/dev").glob(pattern)):
                arguments += ["--dev-bind-try", str(device), str(device)]
        for directory in self._hidden:
            if directory.is_dir():
                arguments += ["--tmpfs", str(directory)]
        return tuple(arguments)

    def _mounts(self, place: Place, tmp: Path) -> list[str]:
        arguments = ["--bind", str(tmp), "/tmp", "--dir", PFS]  # noqa: S108 - a private one
        for prefix in sorted({sys.prefix, sys.base_prefix}):
            if Path(prefix).is_relative_to("/tmp"):  # noqa: S108 - Python itself, which the private one would hide
                arguments += ["--ro-bind", prefix, prefix]
        for bind in (*place.secrets, *place.kept):
            arguments += _way_to(Path(bind.target))
        for bind in (*place.inputs, *place.secrets):
            arguments += ["--ro-bind", str(bind.source), bind.target]
        for bind in (Bind(place.out, f"{PFS}/out"), *place.kept):
            arguments += ["--bind", str(bind.source), bind.target]
        return [*arguments, "--remount-ro", "/"]


def _same(entry: Path) -> list[str]:
    """Arguments that show an entry of a directory of the machine as it is."""
    if entry.is_symlink():
        return ["--symlink", os.readlink(entry), str(entry)]  # noqa: PTH115
    return ["--ro-bind-try", str(entry), str(entry)]


def _way_to(target: Path) -> list[str]:
    """Arguments that let a directory be made which the machine does not have: its parent is rebuilt."""
    if target.exists() or target.parts[1] in _OWN:
        return []
    parent = next(each for each in target.parents if each.is_dir())
    if parent == Path("/"):
        return []
    kept = [argument for entry in sorted(parent.iterdir()) for argument in _same(entry)]
    return ["--tmpfs", str(parent), *kept]


def _directory(plan: Plan) -> tuple[str, str]:
    return "--chdir", plan.working_dir or "/tmp/home"  # noqa: S108 - a private one


def probe(hidden: tuple[Path, ...] = ()) -> Bubblewrap:
    """Tier B, after running something in it.

    Raises
    ------
    Unavailable
        With the reason, if it does not work here.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise Unavailable("bubblewrap is not installed", fix=INSTALL)
    sandbox = Bubblewrap(program, hidden)
    arguments = [*sandbox._base, "--dir", PFS, "--remount-ro", "/", "--", "true"]
    try:
        done = subprocess.run(
            arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"bubblewrap cannot be run: {error}", fix="reinstall bubblewrap") from error
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise Unavailable(
            f"bubblewrap does not work here: {why[-1].removeprefix('bwrap: ')}",
            fix="allow user namespaces: sudo sysctl kernel.unprivileged_userns_clone=1 "
            "kernel.apparmor_restrict_unprivileged_userns=0, or in a container run it unconfined",
        )
    return sandbox
