"""From a spec and the commits of its inputs to its datums, one after another."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from jupyter_dvmount.pipelines.model import Datum, DatumInput
from jupyter_dvmount.pipelines.spec import Cron, Input, Pfs, PipelineSpec
from jupyter_dvmount.store import CommitReader, NotFound, VersionStore

from . import combine
from .code import Code
from .key import Keys
from .scratch import Inputs, Scratch

Heads = Mapping[tuple[str, str], str]
"""Commit id of each (repository, branch) that a spec reads; none for a branch without a commit."""
TICKS = "/*"
"""Glob of a cron input: every tick is a datum."""


def as_pfs(leaf: Pfs | Cron) -> Pfs:
    """A leaf as files of a branch; those of a cron input are its ticks."""
    if isinstance(leaf, Pfs):
        return leaf
    return Pfs(repo=leaf.repo, project=leaf.project, name=leaf.name, glob=TICKS)


def branches(spec: PipelineSpec) -> list[tuple[str, str]]:
    """The (repository, branch) pairs that a spec reads, each once."""
    leaves = [as_pfs(each) for each in spec.input.leaves()]
    return list(dict.fromkeys((each.source, each.branch) for each in leaves))


def current_heads(
    store: VersionStore, spec: PipelineSpec, *, expected: Collection[str] = ()
) -> dict[tuple[str, str], str]:
    """The commits that a job would read if it was started now.

    Parameters
    ----------
    expected
        Repositories that need not exist yet, such as those of pipelines that are made together with this
        one; a cron input's comes with the pipeline in any case.

    Raises
    ------
    NotFound
        If an input's repository does not exist.
    """
    ticks = {each.source for each in spec.input.leaves() if isinstance(each, Cron)}
    heads: dict[tuple[str, str], str] = {}
    for repo, branch in branches(spec):
        try:
            found = {each.name: each.head for each in store.list_branches(repo)}
        except NotFound as error:
            if repo not in ticks and repo not in expected:
                raise NotFound(f"{spec.name}: {error.message}", fix=f"create repo {repo}") from error
            continue
        head = found.get(branch)
        if head is not None:
            heads[repo, branch] = head
    return heads


def enumerate_datums(
    store: VersionStore, spec: PipelineSpec, heads: Heads, code: Code, scratch: Scratch
) -> Iterator[Datum]:
    """The datums of a job, in an order that depends on the commits and the spec alone.

    Parameters
    ----------
    heads
        What to read.
    code
        The code that is part of their ids.
    scratch
        Where what is joined, grouped or crossed waits; has to stay open as long as the iterator is used.

    Raises
    ------
    NotFound
        If a commit is gone.
    """
    readers = {pair: store.read(pair[0], commit) for pair, commit in heads.items()}
    keys = Keys(code)
    return (keys.datum(inputs) for inputs in _Enumeration(readers, scratch).of(spec.input))


class _Enumeration:
    """Walks the tree of inputs."""

    def __init__(self, readers: Mapping[tuple[str, str], CommitReader], scratch: Scratch) -> None:
        self._readers = readers
        self._scratch = scratch

    def of(self, node: Input, *, joined: bool = False, grouped: bool = False) -> Iterator[Inputs]:
        """Combinations of inputs; outside of a join and a group their values are not looked at."""
        if node.join:
            sides = [self._side(child, grouped=grouped) for child in node.join]
            return combine.join(sides, self._scratch)
        leaf = node.pfs or node.cron
        if leaf is not None:
            return ((each,) for each in self._files(as_pfs(leaf), joined=joined, grouped=grouped))
        grouped = grouped or bool(node.group)
        parts: list[Iterable[Inputs]] = [self.of(each, grouped=grouped) for each in node.children]
        if node.cross:
            return combine.cross(parts, self._scratch)
        return (combine.union if node.union else combine.group)(parts, self._scratch)

    def _side(self, node: Input, *, grouped: bool) -> Iterator[tuple[DatumInput, bool]]:
        """One side of a join: files, each with whether it stays without a match."""
        for leaf in map(as_pfs, node.leaves()):
            for each in self._files(leaf, joined=True, grouped=grouped):
                yield each, leaf.outer_join

    def _files(self, pfs: Pfs, *, joined: bool, grouped: bool) -> Iterator[DatumInput]:
        pfs = msgspec.structs.replace(
            pfs, join_on=pfs.join_on if joined else "", group_by=pfs.group_by if grouped else ""
        )
        return combine.files(pfs, self._readers.get((pfs.source, pfs.branch)))
