"""Where a mount goes and what it is called: names are checked, places are kept apart from the state."""

from __future__ import annotations

from pathlib import Path

from dvmount_fuse.layout import State
from jupyter_dvmount.store import AlreadyExists, Denied, Invalid, Unavailable
from jupyter_dvmount.store.uri import check_name

from . import links
from .records import Record

_SAME = ("name", "path", "store", "repo", "branch", "commit", "follow")


def choose_place(root: Path, name: str, directory: Path | None) -> Path:
    """Absolute path of the link.

    Parameters
    ----------
    root
        Mount root, used unless there is a ``directory``.
    name
        Of the mount.
    directory
        Where the user wants the link itself.
    """
    if directory is None:
        return root.absolute() / name
    if not directory.is_absolute():
        raise Invalid(f"{directory} is not an absolute path", fix=f"use {directory.absolute()}")
    if directory.name in {"", ".."}:
        raise Invalid(f"{directory} cannot become a link", fix="name a directory that does not exist yet")
    return links.place(directory)


def choose_name(repo: str, name: str | None, directory: Path | None, records: list[Record]) -> str:
    """The name asked for, or the last part of the repository's; a place of its own may change a taken one."""
    if name is not None:
        return check_name(name, "mount")
    default = repo.rpartition("/")[2]
    if directory is None:
        return default
    at = str(links.place(directory))
    known = next((record.name for record in records if record.path == at), None)
    taken = default in {record.name for record in records}
    return known or (free_name(default, directory.name, records) if taken else default)


def free_name(name: str, hint: str, records: list[Record]) -> str:
    """A name like this one that is not taken, with ``hint`` in it if possible."""
    taken = {record.name for record in records}
    endings = [hint, *range(2, len(taken) + 4)]
    return next(found for ending in endings if (found := f"{name}-{ending}") not in taken)


def check_apart(place: Path, state: State) -> None:
    """Refuse a place inside the state directory or around it; a link that is there is not followed."""
    here, there = links.place(place), state.path.resolve()
    if here == there or there in here.parents or here in there.parents:
        raise Invalid(
            f"mounts at {place} and their state at {state.path} would be inside each other",
            fix="set DVMOUNT_ROOT and DVMOUNT_STATE to two separate directories",
        )


def make_root(root: Path) -> None:
    """Make the mount root if it is missing."""
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        kind = Denied if isinstance(error, PermissionError) else Unavailable
        raise kind(
            f"cannot make the mount root {root}: {error.strerror}",
            fix="set DVMOUNT_ROOT to a directory that you can write to",
        ) from error


def existing(wanted: Record, records: list[Record]) -> Record | None:
    """The record that is exactly what is wanted.

    Raises
    ------
    AlreadyExists
        If the name or the place has another use.
    """
    for record in records:
        if record.name == wanted.name or record.path == wanted.path:
            if all(getattr(record, key) == getattr(wanted, key) for key in _SAME):
                return record
            what = f"{record.repo}@{record.branch or record.commit[:12]}"
            other = free_name(wanted.name, wanted.branch or wanted.commit[:8], records)
            same_branch = record.branch and (record.repo, record.branch) == (wanted.repo, wanted.branch)
            moved = same_branch and record.commit != wanted.commit
            why = "; a mount stays at its commit, and the branch has moved" if moved else ""
            raise AlreadyExists(
                f"{record.path} is {what} ({record.commit[:12]}) mounted as {record.name!r}{why}",
                fix=f"choose another name, such as {other!r}, or unmount {record.name!r} first",
            )
    return None
