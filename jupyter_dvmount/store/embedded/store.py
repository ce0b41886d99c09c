"""The embedded engine behind the store's protocol."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from typing_extensions import Self

from jupyter_dvmount.store.base import Conflict, NotFound, Progress, Unavailable
from jupyter_dvmount.store.model import Branch, Change, Collected, Commit, DiffEntry, Problem, Repo
from jupyter_dvmount.store.uri import check_limit, check_path

from . import feed, history, records
from .blobs import LocalBlobs
from .catalog import Catalog
from .check import check
from .chunks import CHUNK_CACHE, ChunkSource
from .difference import Difference, difference
from .gc import collect
from .journal import Journal
from .layout import Layout, directory_of, open_layout, remove_rubbish
from .parts import Parts
from .publish import modify
from .reader import NODE_CACHE, NodeSource, Reader, file_info
from .refs import AnyRow, branch_row, commit_row, find_branch, repo_row
from .tree import below, find, key_of, path_of
from .writer import Writer

_PAGE = 200
_POLL = (0.01, 0.2)  # seconds between two looks at a commit that is waited for: at first, at most
T = TypeVar("T")


def open_embedded(
    url: str, *, create: bool = True, chunk_cache: int = CHUNK_CACHE, node_cache: int = NODE_CACHE
) -> EmbeddedStore:
    """Open the store in a directory.

    Parameters
    ----------
    url
        ``file:///absolute/path``.
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
    root = directory_of(url)
    layout = open_layout(root, create=create, make_catalog=_make_catalog)
    remove_rubbish(layout)
    return EmbeddedStore(layout, chunk_cache, node_cache)


def _make_catalog(path: Path, id_: str) -> str:
    catalog = Catalog(path)
    try:
        return catalog.create(id_)
    finally:
        catalog.close()


class EmbeddedStore:
    """A `VersionStore` in one directory. Thread-safe; several processes may use the directory at once."""

    engine = "embedded"

    def __init__(self, layout: Layout, chunk_cache: int, node_cache: int) -> None:
        self.url = layout.root.as_uri()
        self.id = layout.id
        self._catalog = Catalog(layout.catalog)
        self._catalog.check()
        self._blobs = LocalBlobs(layout.root)
        self._chunks = ChunkSource(self._catalog, self._blobs, chunk_cache)
        self._nodes = NodeSource(self._chunks, node_cache)
        self._journal = Journal(self._catalog, self._blobs)
        self._parts = Parts(self._blobs, self._catalog, self._journal, self._chunks, self._nodes)

    # repos
    def create_repo(self, repo: str, *, description: str = "") -> Repo:
        """Make an empty repository."""
        with self._journal.change() as connection:
            return records.repo_record(connection, history.create_repo(connection, repo, description))

    def inspect_repo(self, repo: str) -> Repo:
        """One repository."""
        with self._catalog.read() as connection:
            return records.repo_record(connection, repo_row(connection, repo))

    def list_repos(self, *, after: str = "", limit: int | None = None) -> Iterator[Repo]:
        """Repositories by name."""

        def page(last: Repo | None, count: int) -> list[Repo]:
            with self._catalog.read() as connection:
                return records.repo_page(connection, last.name if last else after, count)

        return _paged(page, limit)

    def delete_repo(self, repo: str, *, force: bool = False) -> None:
        """Remove a repository with its commits."""
        with self._journal.change() as connection:
            history.delete_repo(connection, repo, force=force)

    # branches
    def create_branch(self, repo: str, branch: str, *, head: str | None = None) -> Branch:
        """Make a branch, or move an existing one."""
        with self._journal.change() as connection:
            row = repo_row(connection, repo)
            return records.branch_record(
                connection, row, history.create_branch(connection, row, branch, head)
            )

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
        with self._journal.change() as connection:
            history.delete_branch(connection, repo_row(connection, repo), branch)

    # commits
    def start_commit(self, repo: str, branch: str, *, message: str = "", author: str = "") -> Commit:
        """Open a commit on a branch."""
        with self._journal.change() as connection:
            row = repo_row(connection, repo)
            started = history.start_commit(connection, row, branch, message, author)
            return records.commit_record(row.name, started)

    def finish_commit(self, repo: str, ref: str, *, message: str | None = None) -> Commit:
        """Make an open commit visible and immutable."""
        with self._journal.change() as connection:
            row = repo_row(connection, repo)
            found = history.open_commit(connection, row, ref)
            return records.commit_record(row.name, history.finish_commit(connection, row, found, message))

    def drop_commit(self, repo: str, ref: str) -> None:
        """Throw an open commit away."""
        with self._journal.change() as connection:
            row = repo_row(connection, repo)
            history.drop_commit(connection, row, history.open_commit(connection, row, ref))

    def inspect_commit(self, repo: str, ref: str) -> Commit:
        """One commit, open or finished."""
        name, row = self._find(repo, ref)
        return records.commit_record(name, row)

    def list_commits(
        self, repo: str, *, branch: str | None = None, after: str = "", limit: int | None = None
    ) -> Iterator[Commit]:
        """Commits, newest first."""

        def page(last: Commit | None, count: int) -> list[Commit]:
            with self._catalog.read() as connection:
                row = repo_row(connection, repo)
                return history.commit_page(connection, row, branch, last.id if last else after, count)

        return _paged(page, limit)

    def wait_commit(self, repo: str, ref: str, *, timeout: float | None = None) -> Commit:
        """Block until the commit is finished."""
        deadline = None if timeout is None else time.monotonic() + timeout
        commit = self.inspect_commit(repo, self._awaited(repo, ref))
        pause = _POLL[0]
        while commit.state != "finished":
            if deadline is not None and time.monotonic() + pause > deadline:
                raise Unavailable(
                    f"commit {commit.id} is not finished after {timeout:g} s", fix="wait longer"
                )
            time.sleep(pause)
            pause = min(2 * pause, _POLL[1])
            commit = self.inspect_commit(repo, commit.id)
        return commit

    # files
    def modify(
        self, repo: str, ref: str, *, message: str = "", author: str = ""
    ) -> AbstractContextManager[Writer]:
        """Write to an open commit, or make a commit of its own."""
        return modify(self._parts, self.read, repo, ref, message=message, author=author)

    def read(self, repo: str, ref: str) -> Reader:
        """A reader for a finished commit."""
        name, row = self._find(repo, ref)
        if row.state != "finished":
            raise Conflict(f"commit {row.id} is not finished and cannot be read yet", fix="finish it first")
        return Reader(records.commit_record(name, row), row.root, self._nodes.load, self._chunks)

    def diff(
        self, repo: str, ref: str, other_repo: str | None = None, other: str | None = None, *, path: str = "/"
    ) -> Iterator[DiffEntry]:
        """What changed from ``other`` to ``ref``."""
        path = check_path(path)
        new = self.read(repo, ref)
        old = None
        if other is not None:
            old = self.read(other_repo or repo, other)
        elif new.commit.parent is not None:
            old = self.read(repo, new.commit.parent)
        base = old.root if old is not None else None
        at = self._difference_at(base, new, path)
        below_it = difference(self._nodes.load, base, new.root, *below(path))
        return (_diff_entry(one, old, new) for one in chain(at, below_it))

    # feed and maintenance
    def changes(self, after: int | None = None, *, limit: int = 1000) -> list[Change]:
        """Changes after a sequence number, oldest first."""
        with self._catalog.read() as connection:
            return feed.read(connection, after, check_limit(limit))

    def fsck(self, *, full: bool = False, progress: Progress | None = None) -> Iterator[Problem]:
        """Compare catalog and packs."""
        return check(self._parts, full=full, progress=progress)

    def gc(self, *, grace: float = 3600.0, progress: Progress | None = None) -> Collected:
        """Find chunks that no commit needs, and remove those found long enough ago."""
        return collect(self._parts, grace=grace, progress=progress)

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

    def _find(self, repo: str, ref: str) -> tuple[str, AnyRow]:
        with self._catalog.read() as connection:
            row = repo_row(connection, repo)
            return row.name, commit_row(connection, row, ref)

    def _awaited(self, repo: str, ref: str) -> str:
        """The open commit of a branch, where ``ref`` is one that has it."""
        with self._catalog.read() as connection:
            row = repo_row(connection, repo)
            branch = find_branch(connection, row.num, ref)
        return branch.open if branch is not None and branch.open is not None else ref

    def _difference_at(self, base: bytes | None, new: Reader, path: str) -> list[Difference]:
        """The difference of one path itself."""
        if path == "/":
            return []
        key = key_of(path)
        before, after = find(self._nodes.load, base, key), find(self._nodes.load, new.root, key)
        if before is None and after is None:
            raise NotFound(f"{path} is in neither commit", fix="list the commits to see what is there")
        return [] if before == after else [Difference(key, before, after)]


def _diff_entry(one: Difference, old: Reader | None, new: Reader) -> DiffEntry:
    path = path_of(one.key)
    return DiffEntry(
        path=path,
        change="added" if one.old is None else "deleted" if one.new is None else "changed",
        old=file_info(path, one.old, old.commit.id) if old is not None and one.old is not None else None,
        new=file_info(path, one.new, new.commit.id) if one.new is not None else None,
    )


def _paged(page: Callable[[T | None, int], list[T]], limit: int | None) -> Iterator[T]:
    """Records page by page; the first page is read at once, so that errors come at the call."""
    check_limit(limit)
    first = page(None, _PAGE if limit is None else min(limit, _PAGE))
    return _rest(page, first, limit)


def _rest(page: Callable[[T | None, int], list[T]], rows: list[T], limit: int | None) -> Iterator[T]:
    left = limit
    while rows:
        yield from rows
        if left is not None:
            left -= len(rows)
        count = _PAGE if left is None else min(left, _PAGE)
        rows = page(rows[-1], count) if count > 0 else []
