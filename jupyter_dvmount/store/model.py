"""The records that every engine of the version store speaks.

All records are frozen `msgspec.Struct`s, so that they can be shared between threads and
encoded to JSON without a second description. Times are timezone-aware UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

RepoType = Literal["user", "spec", "meta"]
CommitState = Literal["started", "finishing", "finished"]
Origin = Literal["user", "auto"]
FileType = Literal["file", "dir"]
ChangeKind = Literal["project", "repo", "branch", "commit"]
ChangeAction = Literal["created", "updated", "deleted", "started", "finished"]
DiffChange = Literal["added", "deleted", "changed"]

DEFAULT_BRANCH = "master"
"""Branch meant where none is named, as in a pipeline's spec without a branch."""


DEFAULT_PROJECT = "default"
"""Project of the repositories whose names have none."""


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A group of repositories: those named ``project/…``, or for ``default`` those without a project.

    Parameters
    ----------
    name
        As in the names of its repositories.
    description
        One line for people; may be empty.
    created
        When it was made, by itself or with its first repository.
    repos
        Number of its repositories.
    """

    name: str
    description: str = ""
    created: datetime
    repos: int = 0


class Repo(msgspec.Struct, frozen=True, kw_only=True):
    """A versioned repository.

    Parameters
    ----------
    name
        ``name`` or ``project/name``.
    type
        ``user`` for data, ``spec`` and ``meta`` for what pipelines keep.
    description
        One line for people; may be empty.
    created
        When the repository was made.
    size
        Logical bytes at the head of the default branch, or, without one, of the branch that
        moved last. 0 for an empty repository.
    branches
        Number of branches.
    """

    name: str
    type: RepoType = "user"
    description: str = ""
    created: datetime
    size: int = 0
    branches: int = 0


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """Moves a branch to the head of another one when enough has happened there.

    It is looked at whenever the other branch gets a new head, in the same transaction. When it fires, so is
    the trigger of a third branch that watches this one. Without a condition it fires at once. While a commit
    is open on its own branch it does not fire.

    A clock that is set back does not make it fire twice for one time; one that was wrong by more than an hour
    and by more than one time of ``cron`` makes both time conditions count anew from now.

    Parameters
    ----------
    branch
        The branch of the same repository that is watched. It need not exist yet.
    size
        Bytes by which the watched head has to differ from the triggered one: the sizes of files added or
        changed since; None for no such condition.
    commits
        Number of commits that have led to the watched head and not to the triggered one; None for no such
        condition.
    cron
        Five fields or ``@daily`` and the like, in UTC: one of its times has to lie between the last firing,
        at first the making of the trigger, and now; empty for no such condition.
    rate_limit
        Seconds that have to lie between two firings; None for no such condition.
    all
        Whether all conditions have to hold instead of any of them.
    """

    branch: str
    size: int | None = None
    commits: int | None = None
    cron: str = ""
    rate_limit: float | None = None
    all: bool = False


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A name that points at a commit.

    Parameters
    ----------
    repo, name
        Where it is and what it is called.
    head
        Id of the newest *finished* commit, or None on a branch without one.
    open
        Id of the commit that was started and not finished yet, or None.
    moved
        When the head moved last.
    size
        Logical bytes of the head.
    trigger
        What moves it by itself, or None.
    """

    repo: str
    name: str
    head: str | None = None
    open: str | None = None
    moved: datetime
    size: int = 0
    trigger: Trigger | None = None


class CommitRef(msgspec.Struct, frozen=True, order=True):
    """Names one commit: ids are shared by all commits of a commit set, so the repo belongs to it."""

    repo: str
    id: str


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable version of a repository (mutable only while its state is ``started``).

    Parameters
    ----------
    id
        32 lower-case hex digits, the global id shared by everything that one change causes.
    branch
        The branch it was made on.
    parent
        Id of the commit before it in the same repository, or None.
    provenance
        Commits that it was computed from directly.
    origin
        ``user`` for data that someone put, ``auto`` for the output of a pipeline.
    size, files
        Logical bytes and number of files; of what is staged so far while it is open.
    error
        Empty, or why the commit is not usable.
    """

    repo: str
    branch: str
    id: str
    state: CommitState
    message: str = ""
    author: str = ""
    parent: str | None = None
    provenance: tuple[CommitRef, ...] = ()
    origin: Origin = "user"
    size: int = 0
    files: int = 0
    started: datetime
    finished: datetime | None = None
    error: str = ""


class CommitSet(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one change caused: the commits, in different repositories, that share an id.

    Parameters
    ----------
    id
        The global id.
    state
        ``finished`` when all of its commits are, else ``started``.
    error
        The first error of a commit, or empty.
    started, finished
        When its first commit was started and its last one finished.
    commits
        In the order in which they were started.
    """

    id: str
    state: CommitState
    error: str = ""
    started: datetime
    finished: datetime | None = None
    commits: tuple[CommitRef, ...] = ()


class FileInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A file or directory of a commit.

    Parameters
    ----------
    path
        Absolute within the commit, ``/`` for its root; no trailing slash on directories.
    size
        Bytes of the content; for a directory, of everything below it, or 0 where a listing
        was asked not to sum.
    hash
        64 hex digits that are equal exactly if the contents are equal (``docs/format.md``);
        empty for a directory.
    commit
        Id of the commit it was read from.
    """

    path: str
    type: FileType
    size: int = 0
    hash: str = ""
    commit: str = ""

    @property
    def name(self) -> str:
        """Last component of the path, empty for the root."""
        return self.path.rpartition("/")[2]


class Block(msgspec.Struct, frozen=True):
    """Neighbouring entries of one directory, in columns: a millionth record costs what the first one does.

    Parameters
    ----------
    first
        Number of the first entry (`CommitReader.numbered`); the others count on from it.
    names, sizes
        By name; the size of a directory is -1.
    """

    first: int
    names: list[str]
    sizes: list[int]


class DiffEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One path that differs between two commits; ``old`` or ``new`` is None where it is absent."""

    path: str
    change: DiffChange
    old: FileInfo | None = None
    new: FileInfo | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the store's change feed: something that another process may want to react to.

    ``seq`` grows strictly within one store; entries may be missing at the old end of the feed.
    Of a project, ``repo`` is the name.
    """

    seq: int
    kind: ChangeKind
    action: ChangeAction
    repo: str
    branch: str = ""
    commit: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One finding of a check: what is lost and which paths of which commits are affected."""

    code: str
    message: str
    repo: str = ""
    commit: str = ""
    path: str = ""


class RepoUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What one repository holds, in bytes.

    Parameters
    ----------
    repo
        Its name.
    commits
        Number of finished commits.
    logical
        Sum of their sizes, as if each were a copy.
    """

    repo: str
    commits: int
    logical: int


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a store holds and what that costs, in bytes.

    Parameters
    ----------
    logical
        Sum of the sizes of all finished commits, as if each were a copy.
    unique
        Sum of the sizes of all distinct chunks of contents and metadata, before compression, but for those
        that the last collection found unused.
    stored
        Sum of the sizes of these chunks as they are stored.
    packs, size
        Number of packs, and the bytes of their files.
    garbage
        Of ``size``, the bytes that collections found unused and have not freed.
    repos
        Of each repository, by name.
    """

    logical: int
    unique: int
    stored: int
    packs: int
    size: int
    garbage: int = 0
    repos: tuple[RepoUsage, ...] = ()


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What one garbage collection did.

    Parameters
    ----------
    condemned, condemned_bytes
        Chunks found unused now, and their stored bytes; a collection after the grace period removes them.
    removed, removed_bytes
        Chunks removed, and their stored bytes.
    packs_removed, packs_rewritten
        Packs deleted, and packs whose chunks in use were moved to new ones first.
    freed
        Bytes by which the files became smaller, net of what was written.
    """

    condemned: int = 0
    condemned_bytes: int = 0
    removed: int = 0
    removed_bytes: int = 0
    packs_removed: int = 0
    packs_rewritten: int = 0
    freed: int = 0
