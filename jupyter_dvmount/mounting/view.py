"""A record as users see it: does it work, and has its branch moved?"""

from __future__ import annotations

import logging
from pathlib import Path

from dvmount_fuse.layout import State
from jupyter_dvmount.store import NotFound, StoreError, VersionStore

from . import links
from .model import Mount
from .records import Record

log = logging.getLogger("jupyter_dvmount.mounting")


def describe(record: Record, store: VersionStore, state: State, trouble: str) -> Mount:
    """Fill in what changes without the mount being touched.

    Parameters
    ----------
    record
        The mount.
    store
        Asked whether the branch has moved, if the mount is of this store.
    state
        The state directory.
    trouble
        Why FUSE mounts cannot be read now, or nothing.
    """
    moved, error = _has_moved(record, store)
    return Mount(
        name=record.name,
        path=record.path,
        target=record.target,
        repo=record.repo,
        branch=record.branch,
        commit=record.commit,
        follow=record.follow,
        mode=record.mode,
        moved=moved,
        error=_local_trouble(record, state, trouble) or error,
    )


def _local_trouble(record: Record, state: State, trouble: str) -> str:
    if record.mode == "fuse" and trouble:
        return trouble
    if record.mode == "checkout" and not Path(record.target).is_dir():
        return "its files have been deleted; unmount it and mount it again"
    if not links.is_ours(Path(record.path), state):
        return f"{record.path} is not a link of dvmount any more; unmount it and mount it again"
    return ""


def _has_moved(record: Record, store: VersionStore) -> tuple[bool, str]:
    """Whether the branch has another head, and why that or the commit itself cannot be found out."""
    try:
        if record.store != store.id:
            return False, "another store is now at its place" if record.url == store.url else ""
        if record.branch:
            try:
                return store.inspect_branch(record.repo, record.branch).head != record.commit, ""
            except NotFound:
                log.debug("branch %s of %s is gone", record.branch, record.repo)
        store.inspect_commit(record.repo, record.commit)
    except StoreError as error:
        return False, f"{record.repo}@{record.commit[:12]}: {error.message}"
    return False, ""
