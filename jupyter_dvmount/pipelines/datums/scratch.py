"""Room for more than memory should hold: a temporary database of SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from types import TracebackType
from typing import Any

import msgspec
from typing_extensions import Self

from jupyter_dvmount.pipelines.model import DatumInput
from jupyter_dvmount.store import Unavailable

Inputs = tuple[DatumInput, ...]
IN_MEMORY = 1000
"""Combinations of inputs that a `Spool` keeps in memory before it uses the disk."""
_BATCH = 1000
_CACHE_KIB = 16 << 10
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Inputs)


def pack(inputs: Inputs) -> bytes:
    """Inputs as bytes."""
    return _encoder.encode(inputs)


def unpack(data: bytes) -> Inputs:
    """Inputs from `pack`."""
    return _decoder.decode(data)


class Scratch:
    """Tables of one enumeration, for one thread. A context manager.

    They are in a file among the temporary ones (``TMPDIR``) that nobody else sees and that ends with the
    process, whatever ends it.

    Raises
    ------
    Unavailable
        From any method if the disk is full or broken.
    """

    def __init__(self) -> None:
        self._tables = 0
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("BEGIN")

    def table(self, columns: str) -> str:
        """Make a table with these columns, in SQL; its name."""
        self._tables += 1
        name = f"t{self._tables}"
        self._connection.execute(f"CREATE TABLE {name} ({columns})")
        return name

    def insert(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows, but for those whose key is there already."""
        rows = iter(rows)
        while batch := list(islice(rows, _BATCH)):
            marks = ", ".join("?" * len(batch[0]))
            try:
                self._connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", batch)  # noqa: S608
            except sqlite3.Error as error:
                raise _no_room(error) from error

    def query(self, statement: str, arguments: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows of a statement, as they are needed."""
        try:
            yield from self._connection.execute(statement, arguments)
        except sqlite3.Error as error:
            raise _no_room(error) from error

    def close(self) -> None:
        """Forget everything; idempotent."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


class Spool:
    """A sequence that is written once and read any number of times: few in memory, many on disk.

    Parameters
    ----------
    scratch
        Where many go.
    items
        All of them; read to their end at once.
    """

    def __init__(self, scratch: Scratch, items: Iterable[Inputs]) -> None:
        items = iter(items)
        self._few = list(islice(items, IN_MEMORY))
        self._scratch = scratch
        self._table = scratch.table("inputs BLOB") if len(self._few) == IN_MEMORY else ""
        if self._table:
            scratch.insert(self._table, ((pack(each),) for each in items))

    def __iter__(self) -> Iterator[Inputs]:
        yield from self._few
        if self._table:
            rows = self._scratch.query(f"SELECT inputs FROM {self._table} ORDER BY rowid")  # noqa: S608
            yield from (unpack(row[0]) for row in rows)


def _no_room(error: Exception) -> Unavailable:
    return Unavailable(
        f"cannot use scratch space for datums: {error}",
        fix="make room in the directory for temporary files, or set TMPDIR to another one",
    )
