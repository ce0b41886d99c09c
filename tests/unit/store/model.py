"""What the store must be, said with dicts: files by path, commits by id, branches by name."""

from __future__ import annotations

from dataclasses import dataclass, field

Files = dict[str, bytes]


class Refused(Exception):
    """The store has to refuse this."""


@dataclass
class RepoModel:
    """One repository."""

    commits: dict[str, Files] = field(default_factory=dict)
    parents: dict[str, str | None] = field(default_factory=dict)
    heads: dict[str, str | None] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    staged: dict[str, Files] = field(default_factory=dict)

    def base(self, branch: str) -> Files:
        """Files that a change on the branch starts from."""
        if branch in self.open:
            return dict(self.staged[self.open[branch]])
        head = self.heads.get(branch)
        return dict(self.commits[head]) if head else {}

    def commit(self, branch: str, id_: str, files: Files) -> None:
        """A change on the branch has become ``id_``."""
        if branch in self.open:
            assert self.open[branch] == id_
            self.staged[id_] = files
            return
        self.parents[id_] = self.heads.get(branch)
        self.commits[id_] = files
        self.heads[branch] = id_

    def start(self, branch: str, id_: str) -> None:
        """A commit was started."""
        self.staged[id_] = self.base(branch)
        self.parents[id_] = self.heads.setdefault(branch, None)
        self.open[branch] = id_

    def finish(self, branch: str) -> str:
        """The open commit is finished."""
        id_ = self.open.pop(branch)
        self.commits[id_] = self.staged.pop(id_)
        self.heads[branch] = id_
        return id_

    def drop(self, branch: str) -> None:
        """The open commit is thrown away."""
        id_ = self.open.pop(branch)
        del self.staged[id_], self.parents[id_]

    def history(self, branch: str) -> list[str]:
        """The head and its ancestors."""
        chain, id_ = [], self.heads.get(branch)
        while id_ is not None:
            chain.append(id_)
            id_ = self.parents[id_]
        return chain


def directories(files: Files) -> set[str]:
    """Every directory that the files need."""
    found = set()
    for path in files:
        parent = path.rpartition("/")[0]
        while parent:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return found


def put(files: Files, path: str, data: bytes, *, append: bool = False) -> None:
    """Put one file."""
    if path in directories(files) or any(parent in files for parent in directories({path: b""})):
        raise Refused
    files[path] = files.get(path, b"") + data if append else data


def delete(files: Files, path: str) -> None:
    """Delete a file or a directory."""
    gone = [name for name in files if name == path or name.startswith(path + "/")]
    if not gone:
        raise Refused
    for name in gone:
        del files[name]


def copy(files: Files, source: Files, old: str, new: str) -> None:
    """Make ``new`` equal to ``old`` of another commit."""
    if old in source:
        put(files, new, source[old])
        return
    moved = {new + name[len(old) :]: data for name, data in source.items() if name.startswith(old + "/")}
    if not moved or new in files:
        raise Refused
    if new in directories(files):
        delete(files, new)
    for name, data in moved.items():
        put(files, name, data)
