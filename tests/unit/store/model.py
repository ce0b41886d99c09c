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

    def finish(self, branch: str, *, failed: bool = False) -> str:
        """The open commit is finished; if it failed, no branch moves to it."""
        id_ = self.open.pop(branch)
        self.commits[id_] = self.staged.pop(id_)
        if not failed:
            self.heads[branch] = id_
        return id_

    def drop(self, branch: str) -> None:
        """The open commit is thrown away."""
        id_ = self.open.pop(branch)
        del self.staged[id_], self.parents[id_]

    def history(self, branch: str) -> list[str]:
        """The head and its ancestors."""
        return self.line(self.heads.get(branch))

    def line(self, id_: str | None) -> list[str]:
        """A commit and its ancestors."""
        chain = []
        while id_ is not None:
            chain.append(id_)
            id_ = self.parents[id_]
        return chain


Key = tuple[str, str]
"""Repo and id of a commit."""


@dataclass
class StoreModel:
    """Several repositories, and what goes across them."""

    repos: dict[str, RepoModel]
    order: list[Key] = field(default_factory=list)
    upstream: dict[Key, set[Key]] = field(default_factory=dict)
    failed: set[Key] = field(default_factory=set)
    triggers: dict[Key, tuple[str, int]] = field(default_factory=dict)

    def start(self, repo: str, branch: str, id_: str, upstream: set[Key]) -> None:
        """A commit was started."""
        self.repos[repo].start(branch, id_)
        self.order.append((repo, id_))
        self.upstream[repo, id_] = upstream

    def commit(self, repo: str, branch: str, id_: str, files: Files) -> None:
        """A change on the branch has become ``id_``."""
        if branch not in self.repos[repo].open:
            self.order.append((repo, id_))
            self.upstream[repo, id_] = set()
            self.repos[repo].commit(branch, id_, files)
            self.fire(repo, branch)
        else:
            self.repos[repo].commit(branch, id_, files)

    def finish(self, repo: str, branch: str, *, failed: bool) -> str:
        """The open commit is finished."""
        id_ = self.repos[repo].finish(branch, failed=failed)
        if failed:
            self.failed.add((repo, id_))
        else:
            self.fire(repo, branch)
        return id_

    def move(self, repo: str, branch: str, head: str) -> None:
        """The branch was moved by hand."""
        self.repos[repo].heads[branch] = head
        self.fire(repo, branch)

    def watch(self, repo: str, branch: str, watched: str, commits: int) -> None:
        """The branch was given a trigger."""
        at = watched
        while at != branch and (repo, at) in self.triggers:
            at = self.triggers[repo, at][0]
        if at == branch:
            raise Refused
        self.repos[repo].heads.setdefault(branch, None)
        self.triggers[repo, branch] = watched, commits

    def fire(self, repo: str, moved: str) -> None:
        """Move what is triggered by a branch that has moved."""
        model = self.repos[repo]
        for (where, branch), (watched, commits) in list(self.triggers.items()):
            if where != repo or watched != moved or branch in model.open:
                continue
            new = set(model.history(moved)) - set(model.history(branch))
            if model.heads[branch] != model.heads[moved] and len(new) >= commits:
                model.heads[branch] = model.heads[moved]
                self.fire(repo, branch)

    def sets(self) -> dict[str, list[Key]]:
        """The commit sets, oldest first."""
        found: dict[str, list[Key]] = {}
        for key in self.order:
            found.setdefault(key[1], []).append(key)
        return found

    def reach(self, key: Key, links: dict[Key, set[Key]]) -> set[Key]:
        """Everything that links lead to."""
        seen: set[Key] = set()
        ahead = [key]
        while ahead:
            new = links.get(ahead.pop(), set()) - seen
            seen |= new
            ahead += new
        return seen

    def downstream(self) -> dict[Key, set[Key]]:
        """The links the other way round."""
        found: dict[Key, set[Key]] = {}
        for below, above in self.upstream.items():
            for key in above:
                found.setdefault(key, set()).add(below)
        return found

    def children(self, key: Key) -> list[str]:
        """Commits whose parent it is."""
        return [child for child, parent in self.repos[key[0]].parents.items() if parent == key[1]]

    def squash(self, id_: str) -> None:
        """Remove a set; what it changed stays."""
        keys = self.sets()[id_]
        for key in keys:
            model = self.repos[key[0]]
            if id_ not in model.commits or id_ in model.heads.values() or not self.children(key):
                raise Refused
            self.refuse_dependents(key)
        for key in keys:
            for child in self.children(key):
                self.repos[key[0]].parents[child] = self.repos[key[0]].parents[id_]
            self.forget(key)

    def drop(self, id_: str) -> None:
        """Remove a set with what it changed."""
        keys = self.sets()[id_]
        for key in keys:
            if self.children(key):
                raise Refused
            self.refuse_dependents(key)
        for repo, _ in keys:
            model = self.repos[repo]
            for branch, head in model.heads.items():
                if head == id_:
                    model.heads[branch] = model.parents[id_]
            for branch, opened in list(model.open.items()):
                if opened == id_:
                    del model.open[branch]
            self.forget((repo, id_))

    def refuse_dependents(self, key: Key) -> None:
        """Another set was computed from it."""
        if any(below[1] != key[1] for below in self.downstream().get(key, ())):
            raise Refused

    def forget(self, key: Key) -> None:
        """A commit is gone."""
        model = self.repos[key[0]]
        model.commits.pop(key[1], None)
        model.staged.pop(key[1], None)
        del model.parents[key[1]], self.upstream[key]
        for above in self.upstream.values():
            above.discard(key)
        self.order.remove(key)
        self.failed.discard(key)


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
