"""From new commits to jobs: follows the store's feed and the branches that pipelines read."""

from __future__ import annotations

from datetime import datetime, timezone
from itertools import islice

import msgspec

from jupyter_dvmount.pipelines.datums import branches
from jupyter_dvmount.pipelines.jobs import history, specs
from jupyter_dvmount.pipelines.jobs.database import Database
from jupyter_dvmount.pipelines.jobs.graph import producers
from jupyter_dvmount.pipelines.jobs.planning import Branch, changed, new_id, plan
from jupyter_dvmount.pipelines.jobs.specs import Version
from jupyter_dvmount.store import Commit, NotFound, VersionStore

FARTHEST = 1000
"""Commits of a branch that are made up for one by one; of older ones only the newest counts."""
_EARLIEST = datetime.min.replace(tzinfo=timezone.utc)


class _Moved(msgspec.Struct, frozen=True):
    """A commit that a pipeline has no job for.

    Parameters
    ----------
    moment
        When it was finished; never before a commit that it follows, whatever the clock said.
    """

    pipeline: str
    branch: Branch
    commit: Commit
    moment: datetime


class Follower:
    """Makes the jobs that new commits cause, each exactly once.

    Parameters
    ----------
    store, database
        Where commits appear, and where jobs go.
    epoch
        Of the controller's lease.
    """

    def __init__(self, store: VersionStore, database: Database, epoch: int) -> None:
        self._store = store
        self._database = database
        self._epoch = epoch
        self._seq: int | None = None

    def look(self, *, everywhere: bool) -> bool:
        """Make jobs for what is new; whether there was anything new at all.

        Parameters
        ----------
        everywhere
            Look at every branch, not only at those that the feed speaks of.
        """
        seq = self._seq
        changes = self._store.changes(seq)
        if not changes and not everywhere:
            return False
        repos = {each.repo for each in changes if each.kind == "branch"}
        if repos or everywhere or seq is None:
            with self._database.read() as connection:
                versions = specs.current(connection)
            self._advance(versions, None if everywhere or seq is None else repos, seq)
        if changes:
            self._seq = changes[-1].seq
        return bool(repos)

    def _advance(self, versions: dict[str, Version], repos: set[str] | None, seq: int | None) -> None:
        """Look at the branches that pipelines read, of some repositories or of all."""
        read = {pair for each in versions.values() for pair in branches(each.spec)}
        heads = self._heads({repo for repo, _ in read if repos is None or repo in repos}, read)
        # Asked after the heads, so that no move up to them is missing: a trigger moves a branch to commits
        # that were not made on it.
        told = self._store.changes(seq) if seq is not None else []
        were_heads = {(each.repo, each.branch, each.commit) for each in told if each.kind == "branch"}
        with self._database.read() as connection:
            moved = [*changed(connection, versions, heads)]
        if not moved:
            return
        found: list[_Moved] = []
        for name, pair, last in moved:
            moment = _EARLIEST
            for commit in reversed(self._commits(pair, heads[pair], last)):
                moment = max(moment, commit.finished or commit.started)
                if commit.branch == pair[1] or commit.id == heads[pair] or (*pair, commit.id) in were_heads:
                    found.append(_Moved(name, pair, commit, moment))
        by_id: dict[str, list[_Moved]] = {}
        for each in sorted(found, key=lambda each: each.moment):
            by_id.setdefault(each.commit.id, []).append(each)
        everything = self._heads({repo for repo, _ in read}, read)
        for id, together in by_id.items():
            self._plan(id, together, everything)

    def _plan(self, id: str, moved: list[_Moved], heads: dict[Branch, str]) -> None:
        """Make the jobs of one commit set and note that they are made, in one transaction."""
        with self._database.write(epoch=self._epoch) as connection:
            versions = specs.current(connection)
            makers = producers({name: each.spec for name, each in versions.items()})
            known = {pair: head for pair, head in heads.items() if pair not in makers}
            roots: dict[str, dict[Branch, str]] = {}
            taken = False
            for each in (each for each in moved if each.pipeline in versions):
                specs.set_cursors(connection, each.pipeline, {each.branch: id})
                row = history.row_of(connection, each.pipeline, id)
                if row is not None and any(
                    (one.repo, one.branch) == each.branch and (one.upstream or one.commit == id)
                    for one in row.input
                ):
                    continue
                taken = taken or row is not None
                roots.setdefault(each.pipeline, {})[each.branch] = id
            if roots:
                plan(connection, new_id() if taken else id, roots, heads=known)

    def _heads(self, repos: set[str], read: set[Branch]) -> dict[Branch, str]:
        heads: dict[Branch, str] = {}
        for repo in repos:
            try:
                found = [*self._store.list_branches(repo)]
            except NotFound:
                continue
            heads |= {(repo, each.name): each.head for each in found if each.head}
        return {pair: head for pair, head in heads.items() if pair in read}

    def _commits(self, pair: Branch, head: str, last: str) -> list[Commit]:
        """A branch's head and its ancestors up to ``last``, newest first; the head alone without that one.

        All of them where ``last`` is empty: the branch had no commit when the pipeline was made.
        """
        repo, branch = pair
        found: list[Commit] = []
        try:
            for each in islice(self._store.list_commits(repo, branch=branch), FARTHEST):
                if each.id == last:
                    return found
                found.append(each)
        except NotFound:
            return []
        return [each for each in found if not last or each.id == head]
