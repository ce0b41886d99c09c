"""What changed between two commits, as the records of the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import chain

from jupyter_dvmount.store.embedded.trees.difference import Difference, difference
from jupyter_dvmount.store.embedded.trees.tree import Load, below, find, key_of, path_of
from jupyter_dvmount.store.errors import NotFound
from jupyter_dvmount.store.model import DiffEntry

from .reader import Reader, file_info


def compare(load: Load, old: Reader | None, new: Reader, path: str, *, shallow: bool) -> Iterator[DiffEntry]:
    """Differences at and below a path.

    Parameters
    ----------
    load
        Reads nodes of both trees.
    old, new
        What is compared; ``old`` is None for an empty tree.
    path
        Where.
    shallow
        Leave out what is in directories that one side lacks.

    Raises
    ------
    NotFound
        If neither side has the path.
    """
    base = old.root if old is not None else None
    at = _at(load, base, new.root, path)
    if not shallow:
        found = chain(at, difference(load, base, new.root, *below(path)))
    elif any(map(_is_whole_directory, at)):
        found = chain(at)
    else:
        found = chain(at, _shallow(load, base, new.root, *below(path)))
    return (_entry(one, old, new) for one in found)


def _shallow(load: Load, old: bytes | None, new: bytes | None, low: str, high: str) -> Iterator[Difference]:
    """Differences without what is in directories that one side lacks, and without visiting that."""
    passed_over: list[tuple[str, str]] = []  # a heap of the ranges of these directories
    while True:
        for one in difference(load, old, new, low, high):
            while passed_over and passed_over[0][1] <= one.key:
                heappop(passed_over)
            if passed_over and passed_over[0][0] <= one.key:
                low = heappop(passed_over)[1]
                break
            yield one
            if _is_whole_directory(one):
                heappush(passed_over, below(path_of(one.key)))
        else:
            return


def _is_whole_directory(one: Difference) -> bool:
    """Whether one side has a directory where the other has none."""
    return (one.old is not None and one.old.is_directory) != (one.new is not None and one.new.is_directory)


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
