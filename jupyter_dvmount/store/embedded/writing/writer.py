"""Collects the changes of one `modify` block and turns them into a tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from os import PathLike
from typing import BinaryIO

from jupyter_dvmount.store.embedded.packs.chunking import SMALL, Fill
from jupyter_dvmount.store.embedded.packs.codec import Kind
from jupyter_dvmount.store.embedded.reading.reader import Reader
from jupyter_dvmount.store.embedded.trees.difference import difference
from jupyter_dvmount.store.embedded.trees.staging import Staging
from jupyter_dvmount.store.embedded.trees.tree import Item, Load, Node, below, find, key_of, path_of, usage
from jupyter_dvmount.store.errors import Conflict, Invalid, NotFound
from jupyter_dvmount.store.model import Commit
from jupyter_dvmount.store.protocol import Progress
from jupyter_dvmount.store.uri import check_path, is_commit_id

from .ingest import append_stream, from_bytes, from_stream, reading, store_files, store_stream
from .session import PackSession

Resolve = Callable[[str, str], Reader]
"""Opens a finished commit: (repo, ref)."""


class Writer:
    """A `CommitWriter`: changes on top of one tree. For one thread.

    Parameters
    ----------
    session
        Where contents go.
    load, root
        The tree to start from.
    resolve
        Opens the commits that are copied from.
    """

    def __init__(self, session: PackSession, load: Load, root: bytes | None, resolve: Resolve) -> None:
        self._session = session
        self._load = load
        self._resolve = resolve
        self._base = root
        self._staging = Staging(load, root)
        self._depends: set[str] = set()
        self._made: Commit | None = None
        self._origin: tuple[tuple[str, str], Reader] | None = None

    @property
    def commit(self) -> Commit:
        """The commit written."""
        if self._made is None:
            raise Invalid("the commit is not made yet", fix="read it after the with block has ended")
        return self._made

    def put(self, path: str, source: bytes | BinaryIO | PathLike[str], *, append: bool = False) -> None:
        """Write one file."""
        path = check_path(path)
        self._staging.check_file(path)
        if isinstance(source, (bytes, bytearray, memoryview)):
            item = self._store(path, from_bytes(bytes(source)), append)
        elif isinstance(source, PathLike):
            with reading(source) as fill:
                item = self._store(path, fill, append)
        elif hasattr(source, "read"):
            item = self._store(path, from_stream(source), append)
        else:
            raise Invalid(
                f"cannot put a {type(source).__name__}", fix="give bytes, a binary stream or a Path"
            )
        self._staging.set_file(path, item)

    def put_tree(
        self, path: str, files: Iterable[tuple[str, PathLike[str]]], *, progress: Progress | None = None
    ) -> None:
        """Write many local files below a directory."""
        base = check_path(path).rstrip("/")
        named = ((check_path(f"{base}/{name}"), file) for name, file in files)
        count = size = 0
        for target, item in store_files(self._session, named):
            self._staging.set_file(target, item)
            count, size = count + 1, size + item.size
            if progress is not None:
                progress(count, size)

    def delete(self, path: str) -> None:
        """Remove a file, or a directory with everything below it."""
        path = check_path(path)
        if self._staging.remove(path):
            self._depends.add(path)

    def copy(self, repo: str, ref: str, source: str, destination: str) -> None:
        """Make ``destination`` equal to ``source`` of a finished commit."""
        source, destination = check_path(source), check_path(destination)
        origin = self._open_origin(repo, ref)
        found = origin.lookup(source)
        if found is None:
            raise NotFound(
                f"no file or directory {source} in {repo}@{ref}", fix="list the commit to see what is there"
            )
        if found.type == "file":
            self._set_copy(destination, Item(found.size, bytes.fromhex(found.hash)))
            return
        self._replace_directory(destination)
        old, new = source.rstrip("/"), destination.rstrip("/")
        for path, item in Staging(self._load, origin.root).files_below(source):
            self._set_copy(check_path(new + path[len(old) :]), item)

    def _open_origin(self, repo: str, ref: str) -> Reader:
        """The commit to copy from; who copies many files from one commit looks it up once."""
        if self._origin is None or self._origin[0] != (repo, ref) or not is_commit_id(ref):
            self._origin = (repo, ref), self._resolve(repo, ref)
        return self._origin[1]

    def write_tree(self) -> bytes | None:
        """Store the tree as it is now, durably; returns its root."""
        root = self._staging.flush()
        for node in self._staging.nodes.needed_by(root).values():
            self._session.put(Kind.META, node)
        self._session.finish()
        return root

    def load(self, hash_: bytes) -> Node:
        """A node of this tree or of any other."""
        return self._staging.nodes.load(hash_)

    def usage(self) -> tuple[int, int]:
        """(files, bytes) of the tree as it is now."""
        return usage(self._staging.nodes.load, self._staging.flush(), *below("/"))

    def rebase(self, root: bytes | None) -> None:
        """Replay the changes on another tree, since somebody else has changed the one they were made on.

        Raises
        ------
        Conflict
            If what was done depends on something that the other has changed too.
        """
        for path in self._depends:
            if self._differs(root, path):
                raise Conflict(
                    f"{path} was changed by another commit meanwhile", fix="look at it and try again"
                )
        old, load = self._base, self._staging.nodes.load
        mine = self._staging.flush()
        staging = Staging(self._load, root)
        for key, before, after in difference(load, old, mine):
            path = path_of(key)
            is_file_gone = before and not before.is_directory and (after is None or after.is_directory)
            held = staging.get(path) if is_file_gone else None
            if held is not None and not held.is_directory:
                staging.remove_file(path)
        try:
            for key, _, after in difference(load, old, mine):
                if after is not None and not after.is_directory:
                    staging.set_file(path_of(key), after)
        except Invalid as error:
            raise Conflict(
                f"another commit came first: {error.message}", fix="look at it and try again"
            ) from error
        self._base, self._staging = root, staging

    def made(self, commit: Commit) -> None:
        """The changes have become ``commit``, or part of it."""
        self._made = commit

    def _set_copy(self, path: str, item: Item) -> None:
        if item.size > SMALL:
            self._session.relies.on_list(item.hash)
        else:
            self._session.relies.on([item.hash])
        self._staging.set_file(path, item)

    def _store(self, path: str, fill: Fill, append: bool) -> Item:
        old = self._staging.get(path) if append else None
        if append:
            self._depends.add(path)
        return store_stream(self._session, fill) if old is None else append_stream(self._session, old, fill)

    def _replace_directory(self, path: str) -> None:
        held = self._staging.get(path) if path != "/" else None
        if held is not None and not held.is_directory:
            raise Invalid(f"cannot copy a directory to {path}: it is a file", fix="delete it first")
        if path == "/" or held is not None:
            self.delete(path)

    def _differs(self, root: bytes | None, path: str) -> bool:
        if path != "/" and find(self._load, self._base, key_of(path)) != find(self._load, root, key_of(path)):
            return True
        return any(difference(self._load, self._base, root, *below(path)))
