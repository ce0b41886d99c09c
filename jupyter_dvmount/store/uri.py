"""Names, paths and references from outside are parsed and validated here, and only here."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote, unquote

import msgspec

from .errors import Invalid
from .model import DEFAULT_BRANCH, DEFAULT_PROJECT

SCHEME = "dvm://"
_NAME = re.compile(r"[A-Za-z0-9_.-]+\Z")
_COMMIT = re.compile(r"[0-9a-f]{32}\Z")
_REF = re.compile(r"(?P<base>[A-Za-z0-9_.-]+?)(?P<steps>(?:[\^~][0-9]*|\.[0-9]+\Z)*)\Z")
MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 4096
MAX_REF_LENGTH = 512


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the store: a repo, with a ref (branch or commit) and a path where they were given."""

    repo: str
    ref: str = ""
    path: str = "/"

    def __str__(self) -> str:
        return f"{self.repo}@{self.ref or DEFAULT_BRANCH}:{self.path}"

    @property
    def uri(self) -> str:
        """The location as ``dvm://repo@ref/path``."""
        return f"{SCHEME}{self.repo}@{self.ref or DEFAULT_BRANCH}{quote(self.path)}"


def check_name(name: str, what: str) -> str:
    """Return ``name`` if it is legal for a ``what`` (repo, branch, mount …), else raise `Invalid`."""
    if not _NAME.match(name) or name in {".", ".."} or len(name) > MAX_NAME_BYTES:
        raise Invalid(
            f"illegal {what} name {name!r}",
            fix="use letters, digits, '_', '.' and '-', at most 255 of them",
        )
    return name


def check_branch(name: str) -> str:
    """A branch name; one that looks like a commit id is refused, since it could never be told from one."""
    if _COMMIT.match(name):
        raise Invalid(f"illegal branch name {name!r}: it looks like a commit id", fix="choose another name")
    return check_name(name, "branch")


def check_project(name: str) -> str:
    """A project name."""
    return check_name(name, "project")


def check_repo(name: str) -> str:
    """A repo name, optionally ``project/repo``; ``default/repo`` means ``repo``."""
    project, slash, rest = name.partition("/")
    if not slash:
        return check_name(name, "repo")
    check_project(project)
    check_name(rest, "repo")
    return rest if project == DEFAULT_PROJECT else name


def project_of(repo: str) -> str:
    """The project that a repo is in, by its name."""
    project, slash, _ = repo.partition("/")
    return project if slash else DEFAULT_PROJECT


def is_commit_id(ref: str) -> bool:
    """Whether ``ref`` is a full commit id."""
    return bool(_COMMIT.match(ref))


def split_ref(ref: str) -> tuple[str, tuple[str, ...]]:
    """Split ``master^~2`` into its base ``master`` and the steps ``("^", "~2")``."""
    match = _REF.match(ref) if len(ref) <= MAX_REF_LENGTH else None
    if not match or ref in {".", ".."}:
        raise Invalid(
            f"illegal reference {ref!r}",
            fix="use a branch, a commit id or a unique prefix of one, optionally followed by ^, ~N or .N",
        )
    return match["base"], tuple(re.findall(r"[\^~.][0-9]*", match["steps"]))


def check_limit(limit: int | None) -> int | None:
    """Return the ``limit`` of a listing if it is one: not negative, None for all."""
    if limit is not None and limit < 0:
        raise Invalid(f"illegal limit {limit}", fix="use 0 or more, or none at all")
    return limit


def check_path(path: str) -> str:
    """Normalise a path in a commit to ``/a/b``.

    Any UTF-8 is allowed but NUL and control characters; ``.``, ``..`` and empty components are not.
    Unicode is kept as it is given: two normal forms are two names.
    """
    trimmed = path.strip("/")
    if not trimmed:
        return "/"
    try:
        encoded = trimmed.encode()
    except UnicodeEncodeError:
        raise Invalid(f"illegal path {path!r}: it is not UTF-8", fix="rename the file") from None
    if len(encoded) + 1 > MAX_PATH_BYTES:
        raise Invalid(f"path too long: {len(encoded) + 1} bytes", fix=f"use at most {MAX_PATH_BYTES} bytes")
    for part in trimmed.split("/"):
        if part in {"", ".", ".."}:
            raise Invalid(f"illegal path {path!r}: component {part!r}", fix="use a plain absolute path")
        if len(part.encode()) > MAX_NAME_BYTES:
            raise Invalid(f"name too long in {path!r}", fix=f"use at most {MAX_NAME_BYTES} bytes a name")
        if any(unicodedata.category(char) == "Cc" for char in part):
            raise Invalid(f"illegal path {path!r}: it has a control character", fix="rename the file")
    return "/" + trimmed


def parse(text: str) -> Location:
    """Parse ``repo``, ``repo@ref``, ``repo@ref:/path`` or ``dvm://repo@ref/path``.

    Returns
    -------
    Location
        With ``ref`` empty where none was given.

    Raises
    ------
    Invalid
        If any part is not legal.
    """
    if text.startswith(SCHEME):
        repo, at, rest = text.removeprefix(SCHEME).partition("@")
        if at:
            ref, slash, path = rest.partition("/")
            path = unquote(path)
        else:  # dvm://repo/path means the default branch; a project needs the @
            repo, slash, path = repo.partition("/")
            ref, path = "", unquote(path)
        path = slash + path
    else:
        head, _, path = text.partition(":")
        repo, at, ref = head.partition("@")
    if at and not ref:
        raise Invalid(f"{text!r} has no reference after '@'", fix=f"write {repo}@{DEFAULT_BRANCH}")
    repo = check_repo(repo)
    if ref:
        split_ref(ref)
    return Location(repo=repo, ref=ref, path=check_path(path))
