"""Records of what is mounted where."""

from __future__ import annotations

from typing import Literal

import msgspec

MountMode = Literal["fuse", "checkout"]
CheckStatus = Literal["ok", "limited", "missing"]


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """A commit under a local name.

    Parameters
    ----------
    name
        Unique among the user's mounts.
    path
        Absolute path that users open: a symlink to ``target``.
    target
        Absolute path of the commit's own directory, which never changes its content.
    repo, branch, commit
        What is mounted; ``branch`` is empty where a commit was asked for by its id.
    follow
        Whether the symlink moves when the branch does.
    mode
        ``fuse``, or ``checkout`` where files had to be copied out.
    moved
        Whether the branch has another head than ``commit`` now.
    error
        Empty, or why the mount cannot be read now and what to do.
    """

    name: str
    path: str
    target: str
    repo: str
    branch: str = ""
    commit: str
    follow: bool = False
    mode: MountMode = "fuse"
    moved: bool = False
    error: str = ""


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A process that keeps files below a mount open."""

    pid: int
    command: str


class Unmounted(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of an unmount: open descriptors of ``holders`` go on reading the old commit."""

    name: str
    holders: tuple[Holder, ...] = ()


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the health strip and of ``dvmount doctor``.

    ``id`` is stable (``store``, ``mount``, …), ``label`` for people, ``detail`` what was found, ``fix`` the
    one line that mends it (empty if ok).
    """

    id: str
    label: str
    status: CheckStatus
    detail: str
    fix: str = ""
