"""The embedded engine behind the store's protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TypeVar

from sqlalchemy import Connection
from typing_extensions import Self

from jupyter_dvmount.store.errors import Conflict, Invalid, NotFound
from jupyter_dvmount.store.model import (
    Branch,
    Change,
    Collected,
    Commit,
    CommitRef,
    CommitSet,
    DiffEntry,
    Origin,
    Problem,
    Project,
    Repo,
    RepoType,
    Trigger,
    Usage,
)
from jupyter_dvmount.store.protocol import Progress, VersionStore
from jupyter_dvmount.store.uri import check_limit, check_path

from .blobs.s3.address import Address
from .catalog import Catalog, open_catalog, totals
from .commits import commitsets, feed, heads, history, projects, provenance, records
from .commits.refs import AnyRow, branch_row, commit_row, find_branch, repo_row
from .commits.triggers import Growth
from .data import Data, open_data
from .fsck.check import check
from .gc import collect
from .journal.log import Journal
from .paging import paged, wait
from .parts import Parts
from .place import Directory, parse_place
from .reading.chunks import CHUNK_CACHE, ChunkSource
from .reading.comparing import compare
from .reading.nodes import NODE_CACHE, NodeSource
from .reading.reader import Reader
from .writing.publish import modify
from .writing.writer import Writer

T = TypeVar("T")


def open_embedded(
    url: str, *, create: bool = True, chunk_cache: int = CHUNK_CACHE, node_cache: int = NODE_CACHE
) -> VersionStore:
    """Open the store at a place.

    Parameters
    ----------
    url
        ``file:///absolute/path`` or ``s3://bucket/prefix``, with options (``docs/stores.md``).
    create
        Make it where there is none.
    chunk_cache
        Bound on the verified contents kept in memory, in bytes.
    node_cache
        Bound on the tree nodes kept in memory, in nodes.

    Raises
    ------
    Invalid, NotFound, Denied, Unavailable, Corrupt
        If it cannot be opened; nothing is changed then.
    """
    place = parse_place(url)

    def make_catalog(id_: str) -> str:
        with open_catalog(place.catalog) as catalog:
            held = catalog.create(id_)
            if held != id_ and not place.is_joint and catalog.is_used():
                raise _Taken(
                    f"the catalog {catalog.name} belongs to the store {held}, and there is no store at"
                    f" {place.blobs}",
                    fix="name the data of that store, or another catalog for a new one",
                )
        return held

    data = _open_or_make(place.blobs, make_catalog) if create else open_data(place.blobs, None)
    try:
        catalog = open_catalog(place.catalog)
    except BaseException:
        data.blobs.close()
        raise
    try:
        catalog.check(data.id)
    except BaseException:
        data.blobs.close()
        catalog.close()
        raise
    return EmbeddedStore(place.url, data, catalog, chunk_cache, node_cache)


class _Taken(Invalid):
    """The catalog is another store's, or that of the same one, which somebody else has just made."""


def _open_or_make(where: Directory | Address, make_catalog: Callable[[str], str]) -> Data:
    try:
        return open_data(where, make_catalog)
    except _Taken as error:
        try:
            return open_data(where, None)
        except NotFound:
            raise error from None


class EmbeddedStore:
    """A `VersionStore` with data in one place and a catalog. Thread-safe; several processes may use both."""

    engine = "embedded"

    def __init__(self, url: str, data: Data, catalog: Catalog, chunk_cache: int, node_cache: int) -> None:
        self.url = url
        self.id = data.id
        self._catalog = catalog
        self._blobs = data.blobs
        self._chunks = ChunkSource(self._catalog, self._blobs, chunk_cache)
        self._nodes = NodeSource(self._chunks, node_cache, data.copies.nodes if data.copies else None)
        self._copies = data.copies
        self._journal = Journal(self._catalog, self._blobs)
        self._parts = Parts(self._blobs, self._catalog, self._journal, self._chunks, self._nodes)

    # projects
    def create_project(self, project: str, *, description: str = "") -> Project:
        """Make a project."""
        with self._journal.change() as connection:
            return projects.create(connection, project, description)

    def inspect_project(self, project: str) -> Project:
        """One project."""
        with self._catalog.read() as connection:
            return projects.record(connection, project)

    def list_projects(self) -> Iterator[Project]:
        """Projects by name."""
        with self._catalog.read() as connection:
            return iter(projects.records(connection))

    def delete_project(self, project: str) -> None:
        """Remove a project without repositories."""
        with self._journal.change() as connection:
            projects.remove(connection, project)

    # repos
    def create_repo(self, repo: str, *, description: str = "", type: RepoType = "user") -> Repo:
        """Make an empty repository."""
        with self._journal.change() as connection:
            row = projects.create_repo(connection, repo, description, type)
            return records.repo_record(connection, row)

    def inspect_repo(self, repo: str) -> Repo:
        """One repository."""
        with self._catalog.read() as connection:
            return records.repo_record(connection, repo_row(connection, repo))

    def list_repos(
        self, *, type: RepoType | None = None, after: str = "", limit: int | None = None
    ) -> Iterator[Repo]:
        """Repositories by name."""

        def page(last: Repo | None, count: int) -> list[Repo]:
            with self._catalog.read() as connection:
                return records.repo_page(connection, type, last.name if last else after, count)

        return paged(page, limit)

    def delete_repo(self, repo: str, *, force: bool = False) -> None:
        """Remove a repository with its commits."""
        with self._journal.change() as connection:
            projects.remove_repo(connection, repo, force=force)

    # branches
    def create_branch(
        self, repo: str, branch: str, *, head: str | None = None, trigger: Trigger | None = None
    ) -> Branch:
        """Make a branch, or move an existing one, or give it another trigger."""

        def create(connection: Connection, row: AnyRow, growth: Growth) -> Branch:
            made = heads.create_branch(connection, growth, row, branch, head=head, trigger=trigger)
            return records.branch_record(connection, row, made)

        return self._move_heads(repo, create)

    def inspect_branch(self, repo: str, branch: str) -> Branch:
        """One branch."""
        with self._catalog.read() as connection:
            row = repo_row(connection, repo)
            return records.branch_record(connection, row, branch_row(connection, row, branch))

    def list_branches(self, repo: str) -> Iterator[Branch]:
        """Branches of a repository by name."""
        with self._catalog.read() as connection:
            return iter(records.branch_records(connection, repo_row(connection, repo)))

    def delete_branch(self, repo: str, branch: str) -> None:
        """Remove the name; its commits stay reachable by id."""
        with self._change(repo) as (connection, row):
            heads.delete_branch(connection, row, branch)

    # commits
    def start_commit(
        self,
        repo: str,
        branch: str,
        *,
        message: str = "",
        author: str = "",
        id: str | None = None,
        provenance: Iterable[CommitRef] = (),
        origin: Origin = "user",
    ) -> Commit:
        """Open a commit on a branch."""
        with self._change(repo) as (connection, row):
            started = history.start_commit(
                connection,
                row,
                branch,
                id_=id,
                upstream=provenance,
                message=message,
                author=author,
                origin=origin,
            )
            return records.commit_record(connection, started)

    def finish_commit(self, repo: str, ref: str, *, message: str | None = None, error: str = "") -> Commit:
        """Make an open commit visible and immutable."""

        def finish(connection: Connection, row: AnyRow, growth: Growth) -> Commit:
            found = history.open_commit(connection, row, ref)
            finished = history.finish_commit(connection, growth, row, found, message=message, error=error)
            return records.commit_record(connection, finished)

        return self._move_heads(repo, finish)

    def drop_commit(self, repo: str, ref: str) -> None:
        """Throw an open commit away."""
        with self._change(repo) as (connection, row):
            history.take_back(connection, row, history.open_commit(connection, row, ref))

    def inspect_commit(self, repo: str, ref: str) -> Commit:
        """One commit, open or finished."""
        with self._catalog.read() as connection:
            row = commit_row(connection, repo_row(connection, repo), ref)
            return records.commit_record(connection, row)

    def list_commits(
        self, repo: str, *, branch: str | None = None, after: str = "", limit: int | None = None
    ) -> Iterator[Commit]:
        """Commits, newest first."""

        def page(last: Commit | None, count: int) -> list[Commit]:
            with self._catalog.read() as connection:
                row = repo_row(connection, repo)
                return history.commit_page(connection, row, branch, last.id if last else after, count)

        return paged(page, limit)

    def wait_commit(self, repo: str, ref: str, *, timeout: float | None = None) -> Commit:
        """Block until the commit is finished."""
        id_ = self._awaited(repo, ref)
        return wait(lambda: self.inspect_commit(repo, id_), "commit", timeout)

    def provenance(self, repo: str, ref: str) -> Iterator[Commit]:
        """Every commit that this one was computed from, nearest first."""
        return self._reached(repo, ref, provenance.upstream)

    def subvenance(self, repo: str, ref: str) -> Iterator[Commit]:
        """Every commit that was computed from this one, nearest first."""
        return self._reached(repo, ref, provenance.downstream)

    # commit sets
    def list_commit_sets(self, *, after: str = "", limit: int | None = None) -> Iterator[CommitSet]:
        """Commit sets, newest first."""

        def page(last: CommitSet | None, count: int) -> list[CommitSet]:
            with self._catalog.read() as connection:
                return commitsets.page(connection, last.id if last else after, count)

        return paged(page, limit)

    def inspect_commit_set(self, id: str) -> CommitSet:
        """One commit set."""
        with self._catalog.read() as connection:
            return commitsets.find(connection, id)

    def squash_commit_set(self, id: str) -> None:
        """Remove the commits of a set; what they changed stays in their children."""
        with self._journal.change() as connection:
            commitsets.squash(connection, id)

    def drop_commit_set(self, id: str) -> None:
        """Remove the commits of a set with what they changed."""
        with self._journal.change() as connection:
            commitsets.drop(connection, id)

    def wait_commit_set(self, id: str, *, timeout: float | None = None) -> CommitSet:
        """Block until all commits of a set are finished."""
        return wait(lambda: self.inspect_commit_set(id), "commit set", timeout)

    # files
    def modify(
        self, repo: str, ref: str, *, message: str = "", author: str = ""
    ) -> AbstractContextManager[Writer]:
        """Write to an open commit, or make a commit of its own."""
        return modify(self._parts, self.read, repo, ref, message=message, author=author)

    def read(self, repo: str, ref: str) -> Reader:
        """A reader for a finished commit."""
        with self._catalog.read() as connection:
            row = commit_row(connection, repo_row(connection, repo), ref)
            commit = records.commit_record(connection, row)
        if commit.state != "finished":
            raise Conflict(f"commit {row.id} is not finished and cannot be read yet", fix="finish it first")
        return Reader(commit, row.root, self._nodes, self._chunks)

    def diff(
        self,
        repo: str,
        ref: str,
        other_repo: str | None = None,
        other: str | None = None,
        *,
        path: str = "/",
        shallow: bool = False,
    ) -> Iterator[DiffEntry]:
        """What changed from ``other`` to ``ref``."""
        path = check_path(path)
        new = self.read(repo, ref)
        old = None
        if other is not None:
            old = self.read(other_repo or repo, other)
        elif new.commit.parent is not None:
            old = self.read(repo, new.commit.parent)
        return compare(self._nodes.load, old, new, path, shallow=shallow)

    # feed and maintenance
    def changes(self, after: int | None = None, *, limit: int = 1000) -> list[Change]:
        """Changes after a sequence number, oldest first."""
        with self._catalog.read() as connection:
            return feed.read(connection, after, check_limit(limit))

    def fsck(self, *, full: bool = False, progress: Progress | None = None) -> Iterator[Problem]:
        """Compare catalog and packs."""
        return check(self._parts, full=full, progress=progress)

    def usage(self) -> Usage:
        """What the store holds, and what that costs."""
        with self._catalog.read() as connection:
            return totals.usage(connection)

    def gc(self, *, grace: float = 3600.0, progress: Progress | None = None) -> Collected:
        """Find chunks that no commit needs, and remove those found long enough ago."""
        return collect(self._parts, grace=grace, progress=progress)

    def cached(self) -> int:
        """Bytes of local copies."""
        return self._copies.size() if self._copies is not None else 0

    def close(self) -> None:
        """Release files and connections."""
        self._journal.close()
        self._blobs.close()
        self._catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def _awaited(self, repo: str, ref: str) -> str:
        """The open commit of a branch, where ``ref`` is one that has it."""
        with self._catalog.read() as connection:
            row = repo_row(connection, repo)
            branch = find_branch(connection, row.num, ref)
        return branch.open if branch is not None and branch.open is not None else ref

    def _reached(
        self, repo: str, ref: str, reach: Callable[[Connection, int], list[int]]
    ) -> Iterator[Commit]:
        with self._catalog.read() as connection:
            row = commit_row(connection, repo_row(connection, repo), ref)
            return iter(records.numbered_commits(connection, reach(connection, row.num)))

    @contextmanager
    def _change(self, repo: str) -> Iterator[tuple[Connection, AnyRow]]:
        """A transaction about one repo; it waits for none about another."""
        with self._catalog.read() as connection:
            num = repo_row(connection, repo).num
        with self._journal.change(repo=num) as connection:
            row = repo_row(connection, repo)
            if row.num != num:
                raise Conflict(f"repo {row.name!r} was deleted and made anew meanwhile", fix="try again")
            yield connection, row

    def _move_heads(self, repo: str, change: Callable[[Connection, AnyRow, Growth], T]) -> T:
        """Make a change that may fire triggers, as often as it asks for a size that is not known yet."""
        growth = Growth(self._nodes.load)
        while True:
            with growth.measuring(), self._change(repo) as (connection, row):
                return change(connection, row, growth)
