"""What changed between two commits, as the records of the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from jupyter_dvmount.store.base import NotFound
from jupyter_dvmount.store.model import DiffEntry

from .difference import Difference, difference
from .reader import Reader, file_info
from .tree import Load, below, find, key_of, path_of


def compare(load: Load, old: Reader | None, new: Reader, path: str) -> Iterator[DiffEntry]:
    """Differences at and below a path; ``old`` is None for an empty tree.

    Raises
    ------
    NotFound
        If neither side has the path.
    """
    base = old.root if old is not None else None
    at = _at(load, base, new.root, path)
    return (_entry(one, old, new) for one in chain(at, difference(load, base, new.root, *below(path))))


def _at(load: Load, old: bytes | None, new: bytes | None, path: str) -> list[Difference]:
    """The difference of one path itself."""
    if path == "/":
        return []
    key = key_of(path)
    before, after = find(load, old, key), find(load, new, key)
    if before is None and after is None:
        raise NotFound(f"{path} is in neither commit", fix="list the commits to see what is there")
    return [] if before == after else [Difference(key, before, after)]


def _entry(one: Difference, old: Reader | None, new: Reader) -> DiffEntry:
    path = path_of(one.key)
    return DiffEntry(
        path=path,
        change="added" if one.old is None else "deleted" if one.new is None else "changed",
        old=file_info(path, one.old, old.commit.id) if old is not None and one.old is not None else None,
        new=file_info(path, one.new, new.commit.id) if one.new is not None else None,
    )
