"""Which datums have to run: those whose id has not succeeded before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

from jupyter_dvmount.pipelines.model import Datum

BATCH = 1000
"""Datums that are asked for together."""


class Known(Protocol):
    """The datums of a pipeline that succeeded in earlier jobs."""

    def filter(self, keys: Sequence[str]) -> set[str]:
        """Those of these ids that succeeded."""


class Selected(NamedTuple):
    """A datum, and whether it has succeeded before, so that its results can be taken over."""

    datum: Datum
    known: bool


def select(datums: Iterable[Datum], known: Known) -> Iterator[Selected]:
    """Each datum with whether it is known, in the same order, a batch at a time."""
    datums = iter(datums)
    while batch := list(islice(datums, BATCH)):
        succeeded = known.filter([each.id for each in batch])
        for each in batch:
            yield Selected(each, each.id in succeeded)
