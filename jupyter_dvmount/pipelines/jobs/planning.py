"""From a change to the jobs that it causes: one for every pipeline downstream, all with the same id."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping

from sqlalchemy import Connection

from jupyter_dvmount.pipelines.datums import branches
from jupyter_dvmount.pipelines.runs.expected import expected

from . import history, specs
from .graph import downstream, producers
from .records import JobInput
from .specs import Version

Branch = tuple[str, str]
Commits = Mapping[Branch, str]
"""Commit ids by (repository, branch)."""


def new_id() -> str:
    """A global id of its own, for what no commit causes."""
    return uuid.uuid4().hex


def plan(
    connection: Connection,
    id: str,
    roots: Mapping[str, Commits],
    *,
    heads: Commits,
    anew: str = "",
) -> None:
    """Make the jobs that a change causes.

    Parameters
    ----------
    id
        Their global id.
    roots
        The pipelines that the change concerns, each with the commits that it has to read.
    heads
        Commits of branches that no pipeline writes, for inputs that have not changed.
    anew
        A pipeline all of whose datums have to run.

    Notes
    -----
    An input that a pipeline makes in the same set of jobs waits for it; one that an older job of another
    pipeline may still be making is looked up when the job starts: jobs of a pipeline run in order.
    """
    versions = specs.current(connection)
    graph = {name: each.spec for name, each in versions.items()}
    makers = producers(graph)
    affected = downstream(graph, roots)
    for name in affected:
        if history.row_of(connection, name, id) is not None:
            continue
        inputs = tuple(
            _input(pair, roots.get(name, {}), makers.get(pair, ""), affected, heads)
            for pair in branches(graph[name])
        )
        run = expected(graph[name], id, graph.values())
        history.add(connection, name, id, versions[name].number, inputs, anew=name == anew, tracking=run)


def _input(pair: Branch, given: Commits, maker: str, affected: Collection[str], heads: Commits) -> JobInput:
    repo, branch = pair
    if maker in affected:
        return JobInput(repo=repo, branch=branch, upstream=maker)
    if pair in given:
        return JobInput(repo=repo, branch=branch, commit=given[pair])
    return JobInput(repo=repo, branch=branch, commit="" if maker else heads.get(pair, ""))


def begin(connection: Connection, names: Iterable[str], heads: Commits, id: str) -> None:
    """The jobs that new versions of pipelines begin with: on their inputs as they are.

    Parameters
    ----------
    names
        The pipelines.
    heads
        The commits of their inputs.
    id
        What the jobs are called. Where a job upstream is still making an input, it goes on into the new
        pipeline instead.
    """
    graph = {name: each.spec for name, each in specs.current(connection).items()}
    makers = producers(graph)
    roots: dict[str, Commits] = {}
    for name in names:
        pairs = branches(graph[name])
        given = {pair: heads[pair] for pair in pairs if pair in heads}
        specs.set_cursors(connection, name, given)
        if not _continue(connection, name, pairs, makers, heads) and given:
            roots[name] = given
    if roots:
        plan(connection, id, roots, heads=heads)


def _continue(
    connection: Connection, name: str, pairs: list[Branch], makers: Mapping[Branch, str], heads: Commits
) -> bool:
    """Have the newest unfinished job upstream go on into a pipeline; whether there is one."""
    above = {makers[pair] for pair in pairs if pair in makers}
    rows = [history.newest(connection, maker, unfinished=True) for maker in above]
    newest = max((row for row in rows if row is not None), key=lambda row: row.num, default=None)
    if newest is None or history.row_of(connection, name, newest.id) is not None:
        return False
    making = [maker for maker in above if history.row_of(connection, maker, newest.id) is not None]
    inputs = tuple(_input(pair, {}, makers.get(pair, ""), making, heads) for pair in pairs)
    versions = specs.current(connection)
    run = expected(versions[name].spec, newest.id, (each.spec for each in versions.values()))
    history.add(connection, name, newest.id, versions[name].number, inputs, tracking=run)
    return True


def changed(
    connection: Connection, versions: Mapping[str, Version], heads: Commits
) -> Iterator[tuple[str, Branch, str]]:
    """Inputs whose branch has moved since their pipeline's last job, as (pipeline, branch, last commit)."""
    for name, version in versions.items():
        seen = specs.cursors_of(connection, name)
        for pair in branches(version.spec):
            if pair in heads and heads[pair] != seen.get(pair):
                yield name, pair, seen.get(pair, "")
