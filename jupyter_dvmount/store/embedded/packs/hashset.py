"""A set of hashes that may be larger than memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from types import TracebackType

from typing_extensions import Self

_CACHE_KIB = 16 << 10  # what is more goes to a file that nobody else sees and that ends with the process
_GATHERED = 1_000
_QUESTION_SIZE = 500


class HashSet:
    """Hashes, in a private temporary database of SQLite. For one thread at a time; a context manager."""

    def __init__(self) -> None:
        self._made: sqlite3.Connection | None = None
        self._gathered: list[tuple[bytes]] = []

    def add(self, hashes: Iterable[bytes]) -> None:
        """Add some; those that are there stay."""
        self._gathered.extend((hash_,) for hash_ in hashes)
        if len(self._gathered) >= _GATHERED:
            self._insert()

    def missing(self, hashes: list[bytes]) -> list[bytes]:
        """Those that are not in the set, in their order."""
        self._insert()
        held: set[bytes] = set()
        for start in range(0, len(hashes), _QUESTION_SIZE):
            part = hashes[start : start + _QUESTION_SIZE]
            marks = ",".join("?" * len(part))
            query = f"SELECT hash FROM hashes WHERE hash IN ({marks})"  # noqa: S608 - only question marks
            held.update(row[0] for row in self._database.execute(query, part))
        return [hash_ for hash_ in hashes if hash_ not in held]

    def batches(self, size: int) -> Iterator[list[bytes]]:
        """All hashes in order, ``size`` at a time."""
        self._insert()
        after = b""
        query = "SELECT hash FROM hashes WHERE hash > ? ORDER BY hash LIMIT ?"
        while batch := [row[0] for row in self._database.execute(query, (after, size))]:
            yield batch
            after = batch[-1]

    def close(self) -> None:
        """Forget everything."""
        if self._made is not None:
            self._made.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _database(self) -> sqlite3.Connection:
        """Made when it is needed: most commits rely on a handful of chunks and never ask for them."""
        if self._made is None:
            self._made = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._made.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._made.execute("PRAGMA journal_mode = OFF")
            self._made.execute("CREATE TABLE hashes (hash BLOB PRIMARY KEY) WITHOUT ROWID")
        return self._made

    def _insert(self) -> None:
        if self._gathered:
            self._database.execute("BEGIN")
            self._database.executemany("INSERT OR IGNORE INTO hashes VALUES (?)", self._gathered)
            self._database.execute("COMMIT")
            self._gathered.clear()
