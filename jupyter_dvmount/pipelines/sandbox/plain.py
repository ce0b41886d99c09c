"""Tier C: the code as a process like any other, in a directory laid out like the root of the other tiers."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from jupyter_dvmount.store import Unavailable

from .plan import PFS, Command, FailureClass, Launch, Place, Plan, Tier
from .users import identity_of


class Plain:
    """A `Sandbox` that needs nothing of the kernel."""

    tier: Tier = "plain"
    detail = "processes of this user in a directory of their own; /pfs in commands is rewritten to it"

    def launch(self, plan: Plan, place: Place, command: Command) -> Launch:
        """Start the program itself, with ``/pfs`` rewritten."""
        moved = _lay_out(place)
        home = place.root / "home"
        tmp = place.root / "tmp"
        identity = identity_of(plan.user)
        for directory in (home, tmp, place.out, *(bind.source for bind in place.kept)):
            directory.mkdir(exist_ok=True)
            if identity is not None:
                os.chown(directory, identity.uid, identity.gid)
        env = {"HOME": str(home), "TMPDIR": str(tmp), **place.env, **plan.env}
        rewritten = {key: _rewrite(value, moved) for key, value in env.items()}
        return Launch(
            argv=tuple(_rewrite(each, moved) for each in command.argv),
            env={**rewritten, **place.secret_env},
            cwd=_rewrite(plan.working_dir, moved) or str(home),
            stdin=os.fsencode(_rewrite(os.fsdecode(command.stdin), moved)),
            identity=identity,
            no_new_privileges=True,
        )

    def pfs(self, place: Place) -> str:
        """The directory of links."""
        return str(place.root / "pfs")

    def scratch(self, place: Place) -> tuple[Path, ...]:
        """The output, and the directories that its variables name."""
        return (place.out, place.root / "home", place.root / "tmp", *(bind.source for bind in place.kept))

    def explain(self, exit_code: int, output: bytes) -> tuple[FailureClass, str]:
        """Every failure is the code's own."""
        return "", ""

    def reads_private(self, plan: Plan) -> bool:
        """If it runs as this user."""
        return identity_of(plan.user) is None

    def warnings(self, plan: Plan) -> list[str]:
        """The directory is not the root."""
        found = ["/pfs does not exist here: it is rewritten in commands, and PFS and PFS_OUT name its place"]
        if plan.image:
            found.append(f"image {plan.image} is not used: the programs of this machine run instead")
        return found


def _lay_out(place: Place) -> dict[str, str]:
    """Make the tree of links; what has to be rewritten to what."""
    pfs = place.root / "pfs"
    pfs.mkdir(exist_ok=True)
    for bind in place.inputs:
        link = pfs / os.path.relpath(bind.target, PFS)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(bind.source)
    out = pfs / "out"
    if not out.is_symlink():
        out.symlink_to(place.out)
    moved = {bind.target: str(bind.source) for bind in (*place.secrets, *place.kept)}
    return {**moved, PFS: str(pfs)}


def _rewrite(text: str, moved: Mapping[str, str]) -> str:
    """Replace each path where it begins a path: ``--in=/pfs/x`` and not ``/data/pfs/x``."""
    for old, new in moved.items():
        escaped = new.replace("\\", r"\\")
        text = re.sub(rf"(?<![\w.\-/]){re.escape(old)}(?![\w.\-])", escaped, text)
    return text


def probe() -> Plain:
    """Tier C, which works wherever processes can be started.

    Raises
    ------
    Unavailable
        On a system without ``prctl``.
    """
    if not os.path.isdir("/proc/self/task"):  # noqa: PTH112
        raise Unavailable("there is no /proc here", fix="use Linux, and mount /proc")
    return Plain()
