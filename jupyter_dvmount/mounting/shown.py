"""Commits shown by the daemon without a mount of theirs: for programs that only read and do not browse."""

from __future__ import annotations

from pathlib import Path

from dvmount_fuse.layout import KnownStore, State
from jupyter_dvmount.config import Config
from jupyter_dvmount.store import VersionStore

from .service import Service


class Shown:
    """The hidden directory in which every commit is readable.

    Parameters
    ----------
    config
        Where the daemon's state is.
    store
        Whose commits are shown.
    """

    def __init__(self, config: Config, store: VersionStore) -> None:
        self._state = State(config.state.resolve())
        self._service = Service(self._state)
        self._store = store
        self._seen: set[tuple[str, str]] = set()

    def directory(self, repo: str, commit: str) -> Path:
        """Where a commit can be read now, and as long as `keep_up` is called; `Unavailable` without FUSE."""
        target = self._state.fuse_target(self._store.id, repo, commit)
        if (repo, commit) not in self._seen:
            self._state.prepare()
            self._state.remember(KnownStore(id=self._store.id, url=self._store.url))
            target = self._service.show(self._store.id, repo, commit)
            self._seen.add((repo, commit))
        return target

    def keep_up(self) -> None:
        """Tell the supervisor that the daemon is needed; to be called every few seconds while it is."""
        if self._seen:
            self._service.need()
