"""What is written through a file system: changes that become one commit together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any, NamedTuple

from fsspec.transaction import Transaction

from jupyter_dvmount.store import CommitWriter, VersionStore

from .errors import os_errors


class Place(NamedTuple):
    """A branch that is written to."""

    repo: str
    branch: str


class Change(NamedTuple):
    """Something to do to a branch."""

    place: Place
    run: Callable[[CommitWriter], object]


def commit(store: VersionStore, changes: Iterable[Change], *, message: str, author: str) -> None:
    """Make changes, in one commit for each branch that they belong to.

    No branch is committed to before all changes have been made without an error.
    """
    writers: dict[Place, CommitWriter] = {}
    with os_errors(), ExitStack() as stack:
        for place, run in changes:
            if place not in writers:
                writers[place] = stack.enter_context(
                    store.modify(place.repo, place.branch, message=message, author=author)
                )
            run(writers[place])


class CommitTransaction(Transaction):  # type: ignore[misc]  # fsspec has no types
    """``with fs.transaction:`` gathers changes, and files that were opened, for one commit."""

    fs: Any
    files: Any

    def complete(self, commit: bool = True) -> None:
        """Commit what was gathered, or forget it."""
        files = list(self.files)
        self.files.clear()
        try:
            if commit:
                self.fs.commit([change for each in files for change in _changes(each)])
        finally:
            for each in files:
                if not isinstance(each, Change):
                    each.discard()
            self.fs._intrans = False
            self.fs._transaction = None
            self.fs = None


def _changes(gathered: Any) -> list[Change]:
    """A change, or the change that a file is, unless it was discarded."""
    return [gathered] if isinstance(gathered, Change) else gathered.changes()
