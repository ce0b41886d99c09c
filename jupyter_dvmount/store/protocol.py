"""The protocol between the product and a version store.

Everything above this room knows the `VersionStore` protocol and never an engine. The protocol is
synchronous and thread-safe; callers with an event loop use a bounded thread pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from os import PathLike
from types import TracebackType
from typing import BinaryIO, Protocol, runtime_checkable

from typing_extensions import Buffer, Self

from .model import (
    Block,
    Branch,
    Change,
    Collected,
    Commit,
    CommitRef,
    CommitSet,
    DiffEntry,
    FileInfo,
    Origin,
    Problem,
    Project,
    Repo,
    RepoType,
    Trigger,
    Usage,
)

Progress = Callable[[int, int], None]
"""Called with (files, bytes) done so far by an operation that may take long; may raise to cancel."""


class CommitWriter(Protocol):
    """Collects changes to one commit; obtained from `VersionStore.modify`."""

    def put(self, path: str, source: bytes | BinaryIO | PathLike[str], *, append: bool = False) -> None:
        """Write one file.

        Parameters
        ----------
        path
            Absolute path in the commit. Parent directories appear by themselves.
        source
            Bytes, a binary stream read to its end, or the path of a local regular file.
        append
            Add to what is there instead of replacing it.

        Raises
        ------
        Invalid
            If the path is not legal, or one of its parents is a file, or it is a directory.
        """

    def put_tree(
        self,
        path: str,
        files: Iterable[tuple[str, PathLike[str]]],
        *,
        progress: Progress | None = None,
    ) -> None:
        """Write many local files below ``path``; ``files`` yields (relative path, local file)."""

    def delete(self, path: str) -> None:
        """Remove a file, or a directory with everything below it.

        Raises
        ------
        NotFound
            If nothing is there.
        """

    def copy(self, repo: str, ref: str, source: str, destination: str) -> None:
        """Make ``destination`` equal to ``source`` of any finished commit, without moving bytes."""

    @property
    def commit(self) -> Commit:
        """The commit written, once the ``with`` block has been left without an error."""


class CommitReader(Protocol):
    """Reads one finished commit, which never changes. Thread-safe."""

    commit: Commit

    def lookup(self, path: str) -> FileInfo | None:
        """The entry at ``path``, or None. The sum of a directory is not computed (size 0)."""

    def list(self, path: str = "/", *, after: str = "", limit: int | None = None) -> Iterator[FileInfo]:
        """Entries of one directory by name, from the first name greater than ``after``.

        Directory sums are not computed. Raises `NotFound` or, for a file, `Invalid`.
        """

    def walk(self, path: str = "/") -> Iterator[FileInfo]:
        """Everything below ``path`` (not itself); a directory comes before what is in it."""

    def usage(self, path: str = "/") -> tuple[int, int]:
        """(files, bytes) at and below ``path``, without visiting them one by one."""

    def fingerprint(self, path: str = "/") -> str:
        """64 hex digits that are equal exactly if ``path`` and all that is there are; a file's own hash.

        Does not visit what is in a directory one by one. Raises `NotFound` if nothing is there.
        """

    def prefetch(self, progress: Progress | None = None) -> None:
        """Bring what `lookup`, `list`, `walk` and `usage` need to the local disk, if the store is elsewhere.

        They wait for nobody after that, as long as it is not deleted from the cache.

        Parameters
        ----------
        progress
            Called with (files, bytes of files) whose entries are there so far.

        Raises
        ------
        Corrupt, Unavailable, Denied
            If the store cannot be read.
        """

    def readinto(self, file: FileInfo, buffer: Buffer, offset: int = 0) -> int:
        """Fill ``buffer`` from byte ``offset`` of the file; returns the bytes read, fewer only at its end.

        Raises
        ------
        Corrupt
            If the stored bytes are not what was written. Wrong bytes are never returned.
        """

    def parts(self, file: FileInfo, offset: int, length: int) -> Iterator[memoryview]:
        """The bytes that `readinto` would give, in pieces that are not copied and must not be changed."""

    def open(self, path: str) -> BinaryIO:
        """The file as a seekable, read-only binary stream."""

    # Entries by number, for those who keep millions of them: 0 is the root, every other entry has one below
    # 2**44 that stays the same while the reader lives, and may be another one the next time.

    def number(self, path: str) -> int | None:
        """The number of the entry at ``path``, or None."""

    def numbered(self, number: int) -> FileInfo:
        """The entry with a number that this reader has given."""

    def prepare(self, number: int, count: int, room: int) -> None:
        """Have the contents of small files at hand for a while, so that they are read quickly.

        What is large or damaged is left out, and numbers that were not given are.

        Parameters
        ----------
        number, count
            The first of them, and how many numbers from there on.
        room
            Bytes that they may take.

        Raises
        ------
        StoreError
            If the store cannot be read now.
        """

    def blocks(self, path: str = "/") -> Iterator[Block]:
        """What `list` gives, in columns."""


@runtime_checkable
class VersionStore(Protocol):
    """A version store: repos, branches, commits and files with the semantics of Pachyderm's PFS.

    ``repo`` is a name: ``images`` or ``project/images``; ``default/images`` is ``images``. ``ref`` names a
    commit of it: a branch, a full id, or a unique prefix of at least 4 digits, optionally followed by ``^``
    or ``~`` (the commit before it), ``^N`` or ``~N`` (the Nth before it) or ``.N`` (the Nth of its history).
    """

    url: str
    """Where it is, without any secret."""
    engine: str
    """Short name of the engine, such as ``embedded``."""
    id: str
    """Stays the same for the life of the store; letters and digits only."""

    # projects
    def create_project(self, project: str, *, description: str = "") -> Project:
        """Make a project; `AlreadyExists` if there is one. It also comes with its first repository."""

    def inspect_project(self, project: str) -> Project:
        """One project, or `NotFound`."""

    def list_projects(self) -> Iterator[Project]:
        """Projects by name; ``default`` is always there."""

    def delete_project(self, project: str) -> None:
        """Remove a project without repositories, else `Conflict`."""

    # repos
    def create_repo(self, repo: str, *, description: str = "", type: RepoType = "user") -> Repo:
        """Make an empty repository; `AlreadyExists` if the name is taken."""

    def inspect_repo(self, repo: str) -> Repo:
        """One repository, or `NotFound`."""

    def list_repos(
        self, *, type: RepoType | None = None, after: str = "", limit: int | None = None
    ) -> Iterator[Repo]:
        """Repositories of one type, or of all, by name, from the first name greater than ``after``."""

    def delete_repo(self, repo: str, *, force: bool = False) -> None:
        """Remove a repository with its commits; without ``force`` only if it has no commit.

        Commits of other repositories that were computed from them keep their other provenance; the
        refusal without ``force`` names them.
        """

    # branches
    def create_branch(
        self, repo: str, branch: str, *, head: str | None = None, trigger: Trigger | None = None
    ) -> Branch:
        """Make a branch, or move an existing one to ``head`` (a ref), or give it another ``trigger``.

        An existing one that is moved keeps its trigger; a trigger goes with its branch.

        Raises
        ------
        Invalid
            If the trigger's conditions are malformed, or it would watch itself through a chain.
        """

    def inspect_branch(self, repo: str, branch: str) -> Branch:
        """One branch, or `NotFound`."""

    def list_branches(self, repo: str) -> Iterator[Branch]:
        """Branches of a repository by name."""

    def delete_branch(self, repo: str, branch: str) -> None:
        """Remove the name; its commits stay reachable by id."""

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
        """Open a commit on a branch (made if missing); at most one is open on a branch.

        Parameters
        ----------
        id
            Global id of the commit set that it belongs to; by default a new one.
        provenance
            The finished commits that it is computed from.

        Raises
        ------
        AlreadyExists
            If the repository has a commit with this id.
        """

    def finish_commit(self, repo: str, ref: str, *, message: str | None = None, error: str = "") -> Commit:
        """Make the open commit of a branch, or the open commit with this id, visible and immutable.

        With an ``error`` it is finished, but no branch moves to it.
        """

    def drop_commit(self, repo: str, ref: str) -> None:
        """Throw an open commit away."""

    def provenance(self, repo: str, ref: str) -> Iterator[Commit]:
        """Every commit that this one was computed from, directly or through others; nearest first."""

    def subvenance(self, repo: str, ref: str) -> Iterator[Commit]:
        """Every commit that was computed from this one, directly or through others; nearest first."""

    # commit sets
    def list_commit_sets(self, *, after: str = "", limit: int | None = None) -> Iterator[CommitSet]:
        """Newest first; ``after`` is the last id seen."""

    def inspect_commit_set(self, id: str) -> CommitSet:
        """One commit set, by its id or a unique prefix of it, or `NotFound`."""

    def squash_commit_set(self, id: str) -> None:
        """Remove the commits of a set; what they changed stays in their children.

        Raises
        ------
        Conflict
            If one of them has no child, is the head of a branch, is open, or is provenance of another set:
            the message names it.
        """

    def drop_commit_set(self, id: str) -> None:
        """Remove the commits of a set with what they changed; branches go back to their parents.

        Raises
        ------
        Conflict
            If one of them has a child or is provenance of another set: the message names it.
        """

    def wait_commit_set(self, id: str, *, timeout: float | None = None) -> CommitSet:
        """Block until all commits of a set are finished; `Unavailable` after ``timeout`` seconds."""

    def inspect_commit(self, repo: str, ref: str) -> Commit:
        """One commit, open or finished; a branch means its head, or its open commit while it has no head."""

    def list_commits(
        self, repo: str, *, branch: str | None = None, after: str = "", limit: int | None = None
    ) -> Iterator[Commit]:
        """Newest first; of a branch: its head and that commit's ancestors. ``after`` is the last id seen."""

    def wait_commit(self, repo: str, ref: str, *, timeout: float | None = None) -> Commit:
        """Block until the commit is finished; `Unavailable` after ``timeout`` seconds."""

    # files
    def modify(
        self, repo: str, ref: str, *, message: str = "", author: str = ""
    ) -> AbstractContextManager[CommitWriter]:
        """Write to the open commit of a branch (or with this id), else make a commit of its own.

        A branch that does not exist is made. Nothing is visible if the block raises.
        """

    def read(self, repo: str, ref: str) -> CommitReader:
        """A reader for a finished commit; for a branch, of its head."""

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
        """What changed from ``other`` (default: the parent; an empty tree without one) to ``ref``.

        With ``shallow`` a directory that one side lacks is one entry, without what is in it.
        """

    # feed and maintenance
    def changes(self, after: int | None = None, *, limit: int = 1000) -> list[Change]:
        """Changes with ``seq`` greater than ``after``, oldest first; with None the newest one only."""

    def fsck(self, *, full: bool = False, progress: Progress | None = None) -> Iterator[Problem]:
        """Compare catalog and packs; ``full`` hashes every chunk again."""

    def usage(self) -> Usage:
        """What the store holds, and what that costs."""

    def cached(self) -> int:
        """Bytes on the local disk that are copies of what is elsewhere, and may be deleted at any time."""

    def gc(self, *, grace: float = 3600.0, progress: Progress | None = None) -> Collected:
        """Find chunks that no commit needs, and remove those found ``grace`` seconds ago or earlier.

        Safe beside writers at any time and with any ``grace``: a writer that relied on a chunk removed
        meanwhile gets `Conflict` instead of a commit; a longer grace makes that less likely.
        """

    def close(self) -> None:
        """Release files and connections; idempotent."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...
