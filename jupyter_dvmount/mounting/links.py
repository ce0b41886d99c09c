"""The symlinks that users open. Nothing that is not a link of ours is ever removed or replaced."""

from __future__ import annotations

import os
from pathlib import Path

from dvmount_fuse.layout import State
from jupyter_dvmount.store import AlreadyExists, Denied, Invalid, Unavailable


def place(path: Path) -> Path:
    """The one way to write where a link is: links above it are followed, it itself is not."""
    return path.parent.resolve() / path.name


def is_ours(link: Path, state: State) -> bool:
    """Whether a symlink of a mount is at this place; never follows it."""
    try:
        target = Path(os.path.normpath(link.readlink()))  # ".." may lead anywhere
    except OSError:
        return False
    return state.fs in target.parents or state.checkouts in target.parents


def check_place(link: Path) -> None:
    """Make sure that a link can be put here.

    Raises
    ------
    AlreadyExists
        If a file, a foreign link or a directory with something in it is there.
    Invalid
        If the directory it shall be in does not exist.
    Denied
        If that directory cannot be written.
    """
    if not link.parent.is_dir():
        raise Invalid(f"{link.parent} is not a directory", fix=f"mkdir -p {link.parent}")
    if not os.access(link.parent, os.W_OK | os.X_OK):
        raise Denied(f"no permission to write to {link.parent}", fix="choose another place for the mount")
    if link.is_symlink():
        raise AlreadyExists(
            f"{link} is a link that dvmount did not make", fix="move it away, or mount under another name"
        )
    if link.is_dir():
        if next(iter(os.scandir(link)), None) is not None:
            raise AlreadyExists(
                f"{link} is a directory that is not empty",
                fix="move it away, or mount under another name",
            )
    elif link.exists():
        raise AlreadyExists(f"{link} is a file", fix="move it away, or mount under another name")


def create(link: Path, target: Path) -> bool:
    """Put a new link; an empty directory gives way to it, as a mountpoint would.

    Returns
    -------
    bool
        Whether an empty directory stood there.
    """
    check_place(link)
    replaced = link.is_dir()
    try:
        if replaced:
            link.rmdir()
        link.symlink_to(target)  # fails if something has appeared since, instead of replacing it
    except FileExistsError:
        raise AlreadyExists(f"{link} has just been made by somebody else", fix="try again") from None
    except OSError as error:
        raise Unavailable(
            f"cannot put a link at {link}: {error.strerror}", fix="choose another place for the mount"
        ) from error
    return replaced


def swap(link: Path, target: Path, state: State) -> None:
    """Point a link of ours elsewhere, atomically: whoever opens it gets the old or the new commit.

    Raises
    ------
    AlreadyExists
        If something else has taken its place.
    """
    if not is_ours(link, state):
        check_place(link)
        create(link, target)
        return
    temporary = link.with_name(f".dvmount-{os.urandom(6).hex()}")
    try:
        temporary.symlink_to(target)
        temporary.replace(link)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise Unavailable(f"cannot move the link {link}: {error.strerror}") from error


def remove(link: Path, state: State, *, replaced: bool) -> bool:
    """Take a link of ours away and put back the empty directory that stood there.

    Returns
    -------
    bool
        False if something else is there now, which is left alone.
    """
    if not is_ours(link, state):
        return not os.path.lexists(link)
    try:
        link.unlink()
        if replaced:
            link.mkdir()
    except OSError as error:
        raise Unavailable(f"cannot remove the link {link}: {error.strerror}") from error
    return True
