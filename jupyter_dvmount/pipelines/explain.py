"""Why each datum of a pipeline would run or be skipped, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from jupyter_dvmount.store import VersionStore

from .datums import Code, Heads, Known, Selected, branches, enumerate_datums, select
from .datums.key import contents, place
from .datums.scratch import Inputs, Scratch, pack, unpack
from .model import Action, Datum, DatumInput, Explained
from .spec import PipelineSpec

_SHOWN = 3
"""Paths that a reason names; more are counted."""


class Earlier(Known, Protocol):
    """What is known of a pipeline's jobs so far."""

    @property
    def job(self) -> str:
        """Id of the newest job that is over, or empty."""

    @property
    def code(self) -> Code | None:
        """The code of that job."""

    def datums(self) -> Iterator[Datum]:
        """The datums of that job, whatever became of them."""


class _Past(NamedTuple):
    """A datum of the previous job that is in the place of one of now."""

    id: str
    contents: bytes
    inputs: bytes


def explain(
    store: VersionStore, spec: PipelineSpec, heads: Heads, code: Code, *, earlier: Earlier, scratch: Scratch
) -> Iterator[Explained]:
    """Say of each datum what would happen to it and why; those that are gone come last.

    Parameters
    ----------
    heads
        The commits that the job would read.
    code
        The code that it would run.
    earlier
        What happened so far.
    scratch
        Where the previous job's datums are put; has to stay open as long as the iterator is used.
    """
    past = _PreviousJob(earlier.datums(), scratch)
    for chosen in select(enumerate_datums(store, spec, heads, code, scratch), earlier):
        before = past.find(chosen.datum)
        action, reason = _judge(chosen, before, spec, code, earlier)
        yield _explained(spec, action, chosen.datum.id, reason, chosen.datum.inputs)
    for id, inputs in past.left():
        yield _explained(spec, "gone", id, f"gone: {_paths(inputs)}", inputs)


def nothing_because(spec: PipelineSpec, heads: Heads) -> str:
    """Why a spec has no datums, for people."""
    empty = [f"{repo}@{branch}" for repo, branch in branches(spec) if (repo, branch) not in heads]
    return f"no commit on {', '.join(empty)} yet" if empty else "no file matches its inputs"


def _judge(
    chosen: Selected, before: _Past | None, spec: PipelineSpec, code: Code, earlier: Earlier
) -> tuple[Action, str]:
    datum = chosen.datum
    if chosen.known and spec.runs_every_job:
        return "run", "reprocess_spec is every_job"
    if chosen.known:
        same = before is not None and before.id == datum.id
        return "skip", f"unchanged since job {earlier.job}" if same else "succeeded in an earlier job"
    if before is None:
        return "run", f"new data {_paths(datum.inputs)}"
    if before.id == datum.id:
        return "run", "never succeeded"
    reasons = []
    if before.contents != contents(datum.inputs):
        reasons.append(f"changed data {_paths(_changed(datum.inputs, unpack(before.inputs)))}")
    if earlier.code is not None and (names := code.changes(earlier.code)):
        reasons.append(f"code changed: {', '.join(names)}")
    return "run", "; ".join(reasons)


def _changed(now: Inputs, before: Inputs) -> list[DatumInput]:
    """The inputs that differ; those that are only on one side, too."""
    old, new = ({(each.name, each.path): each for each in inputs} for inputs in (before, now))
    places = sorted(old.keys() | new.keys())
    return [
        new.get(each) or old[each]
        for each in places
        if each not in old or each not in new or contents((old[each],)) != contents((new[each],))
    ]


class _PreviousJob:
    """The datums of the previous job by their places, and which of them nothing has taken up."""

    def __init__(self, datums: Iterable[Datum], scratch: Scratch) -> None:
        self._scratch = scratch
        columns = "place BLOB PRIMARY KEY, id TEXT, contents BLOB, inputs BLOB"
        self._table = scratch.table(columns)
        self._found = scratch.table("place BLOB PRIMARY KEY")
        scratch.insert(
            self._table,
            ((place(each.inputs), each.id, contents(each.inputs), pack(each.inputs)) for each in datums),
        )

    def find(self, datum: Datum) -> _Past | None:
        """The datum that was in the place of this one."""
        where = place(datum.inputs)
        query = f"SELECT id, contents, inputs FROM {self._table} WHERE place = ?"  # noqa: S608
        rows = [_Past(*row) for row in self._scratch.query(query, (where,))]
        if not rows:
            return None
        self._scratch.insert(self._found, [(where,)])
        return rows[0]

    def left(self) -> Iterator[tuple[str, Inputs]]:
        """Those in whose place there is nothing now, as (id, inputs)."""
        query = f"SELECT id, inputs FROM {self._table} WHERE place NOT IN {self._found} ORDER BY rowid"  # noqa: S608
        return ((id, unpack(inputs)) for id, inputs in self._scratch.query(query))


def _explained(spec: PipelineSpec, action: Action, id: str, reason: str, inputs: Inputs) -> Explained:
    return Explained(
        pipeline=spec.name,
        action=action,
        datum=id,
        reason=reason,
        inputs=tuple(f"{each.name}:{each.path}" for each in inputs),
    )


def _paths(inputs: Sequence[DatumInput]) -> str:
    shown = ", ".join(each.path for each in inputs[:_SHOWN])
    more = len(inputs) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
