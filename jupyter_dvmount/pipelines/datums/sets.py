"""Datum sets: how many datums are handed out together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil
from typing import Protocol, TypeVar

from jupyter_dvmount.pipelines.spec import DatumSetSpec


class Sized(Protocol):
    """A datum, or what stands for one."""

    @property
    def size(self) -> int:
        """Bytes of its inputs."""


T = TypeVar("T", bound=Sized)


def set_size(spec: DatumSetSpec, *, total: int, workers: int, default: int) -> int:
    """Datums in a set.

    Parameters
    ----------
    spec
        ``number`` says it outright; ``per_worker`` so that each worker gets about so many sets.
    total
        Datums that have to run.
    workers
        How many run at a time.
    default
        Where the spec says nothing, or ``size_bytes`` alone.
    """
    if spec.per_worker:
        return max(1, ceil(total / (workers * spec.per_worker)))
    return spec.number or default


def in_sets(datums: Iterable[T], *, number: int, size_bytes: int = 0) -> Iterator[list[T]]:
    """Consecutive datums in lists.

    Parameters
    ----------
    number
        Most datums of a set.
    size_bytes
        A set is closed when the data of its datums has reached so many bytes; 0 for whatever there is.
    """
    batch: list[T] = []
    size = 0
    for datum in datums:
        batch.append(datum)
        size += datum.size
        if len(batch) >= number or 0 < size_bytes <= size:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
