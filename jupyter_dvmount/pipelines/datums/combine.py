"""How inputs are combined: files by globs, then cross, union, join and group, as Pachyderm combines them.

Everything is an iterator of tuples of inputs; what has to be seen as a whole goes through a `Scratch`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, pairwise
from operator import itemgetter
from typing import Any

from jupyter_dvmount.pipelines.model import DatumInput
from jupyter_dvmount.pipelines.spec import Pfs
from jupyter_dvmount.store import CommitReader, Invalid
from jupyter_dvmount.store.glob import Match, compile_glob, expand

from .key import contents
from .scratch import Inputs, Scratch, Spool, pack, unpack


def files(pfs: Pfs, reader: CommitReader | None) -> Iterator[DatumInput]:
    """What matches the glob of an input; nothing of a branch without a commit."""
    if reader is None:
        return
    for match in compile_glob(pfs.glob).find(reader):
        yield _input(pfs, reader, match)


def _input(pfs: Pfs, reader: CommitReader, match: Match) -> DatumInput:
    file = match.file
    is_file = file.type == "file"
    return DatumInput(
        name=pfs.name,
        repo=pfs.source,
        branch=pfs.branch,
        commit=reader.commit.id,
        path=file.path,
        type=file.type,
        hash=file.hash if is_file else reader.fingerprint(file.path),
        size=file.size if is_file else reader.usage(file.path)[1],
        join_on=expand(pfs.join_on, match.captures) if pfs.join_on else "",
        group_by=expand(pfs.group_by, match.captures) if pfs.group_by else "",
        lazy=pfs.lazy,
        empty_files=pfs.empty_files,
    )


def union(parts: Iterable[Iterable[Inputs]], scratch: Scratch) -> Iterator[Inputs]:
    """The combinations of each part, one after another, and equal ones only once."""
    table = scratch.table("contents BLOB PRIMARY KEY, number INTEGER, inputs BLOB")
    everything = enumerate(chain.from_iterable(parts))
    scratch.insert(table, ((contents(each), number, pack(each)) for number, each in everything))
    for (data,) in scratch.query(f"SELECT inputs FROM {table} ORDER BY number"):  # noqa: S608
        yield unpack(data)


def cross(parts: Sequence[Iterable[Inputs]], scratch: Scratch) -> Iterator[Inputs]:
    """Every combination of one of each part."""
    first, *others = parts
    return _product([[first], *([Spool(scratch, each)] for each in others)])


def join(sides: Sequence[Iterable[tuple[DatumInput, bool]]], scratch: Scratch) -> Iterator[Inputs]:
    """Combinations of one of each side whose ``join_on`` is equal.

    Parameters
    ----------
    sides
        (input, whether it is outer) of each. Where a side has nothing for a value, the outer inputs of the
        others are combined among themselves.
    """
    table = scratch.table("value TEXT, side INTEGER, is_outer INTEGER, inputs BLOB")
    for side, inputs in enumerate(sides):
        scratch.insert(table, ((each.join_on, side, outer, pack((each,))) for each, outer in inputs))
    order = "value, side, is_outer, rowid"
    rows = scratch.query(f"SELECT value, side, is_outer, inputs FROM {table} ORDER BY {order}")  # noqa: S608
    for _, matching in groupby(rows, key=itemgetter(0)):
        yield from _product(_choices(matching, len(sides), scratch))


def _choices(rows: Iterator[tuple[Any, ...]], sides: int, scratch: Scratch) -> list[list[Spool]]:
    """What there is to choose from on each side for one value of a join; nothing if nothing matches."""
    found: dict[int, dict[bool, Spool]] = {}
    for (side, outer), same in groupby(rows, key=itemgetter(1, 2)):
        found.setdefault(side, {})[bool(outer)] = Spool(scratch, (unpack(row[3]) for row in same))
    complete = len(found) == sides
    choices = [[spool for outer, spool in part.items() if complete or outer] for part in found.values()]
    return [each for each in choices if each]


def _product(choices: Sequence[Sequence[Iterable[Inputs]]]) -> Iterator[Inputs]:
    """Every way to take one from each choice, none if there is no choice; reads the first one once."""
    if not choices:
        return
    first, *others = choices
    for head in chain.from_iterable(first):
        if others:
            yield from (head + tail for tail in _product(others))
        else:
            yield head


def group(parts: Iterable[Iterable[Inputs]], scratch: Scratch) -> Iterator[Inputs]:
    """For each value of ``group_by`` all inputs that have it, from whatever combination.

    Raises
    ------
    Invalid
        If a group has two different files for one path.
    """
    table = scratch.table(
        "value TEXT, name TEXT, path TEXT, hash TEXT, inputs BLOB, PRIMARY KEY (value, name, path, hash)"
    )
    inputs = chain.from_iterable(chain.from_iterable(parts))
    scratch.insert(
        table, ((each.group_by, each.name, each.path, each.hash, pack((each,))) for each in inputs)
    )
    rows = scratch.query(f"SELECT value, inputs FROM {table} ORDER BY value, name, path, hash")  # noqa: S608
    for _, members in groupby(rows, key=itemgetter(0)):
        found = tuple(each for _, data in members for each in unpack(data))
        for one, other in pairwise(found):
            if (one.name, one.path) == (other.name, other.path):
                repos = " and ".join(sorted({one.repo, other.repo}))
                raise Invalid(
                    f"{repos} both have {one.path} for input {one.name} of one group",
                    fix="give the inputs different names",
                )
        yield found
