"""How writers and collectors of garbage get out of each other's way without waiting (``docs/format.md``).

Every transaction that condemns or removes something begins a new epoch. A writer notes the epoch before
it looks for chunks that are there already. If it finds another one when it commits, it looks again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from sqlalchemy import Connection, select, update

from jupyter_dvmount.store.embedded.catalog.schema import chunks, store
from jupyter_dvmount.store.embedded.packs.chunking import ChunkList
from jupyter_dvmount.store.embedded.packs.hashset import HashSet
from jupyter_dvmount.store.errors import Conflict

_BATCH = 500
GONE = "a garbage collection has removed contents that this commit was going to share"
_EPOCH = select(store.c.epoch)
AGAIN = "run the same command again: it will store them anew"


def current_epoch(connection: Connection) -> int:
    """The number of the epoch."""
    epoch: int = connection.execute(_EPOCH).scalar_one()
    return epoch


def begin_epoch(connection: Connection) -> None:
    """Begin a new epoch with the transaction."""
    connection.execute(update(store).values(epoch=store.c.epoch + 1))


class Reliance:
    """The chunks of the store that one writer counts on. Thread-safe.

    Parameters
    ----------
    epoch
        The epoch before the first of them was looked for.
    """

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self._chunks = HashSet()
        self._lists = HashSet()
        self._lock = threading.Lock()

    def on(self, hashes: Iterable[bytes]) -> None:
        """Count on chunks."""
        with self._lock:
            self._chunks.add(hashes)

    def on_list(self, hash_: bytes) -> None:
        """Count on a chunk list and the chunks that it names."""
        with self._lock:
            self._lists.add([hash_])

    def is_shaken(self, connection: Connection) -> bool:
        """Whether a collection has changed something since."""
        return current_epoch(connection) != self._epoch

    def renew(self, connection: Connection, load_list: Callable[[bytes], ChunkList]) -> None:
        """See that everything counted on is there, and take back that some of it is condemned.

        Raises
        ------
        Conflict
            If some of it has been removed.
        """
        for lists in self._lists.batches(_BATCH):
            _keep(connection, lists)
            for hash_ in lists:
                self._chunks.add(load_list(hash_).all())
        for batch in self._chunks.batches(_BATCH):
            _keep(connection, batch)

    def close(self) -> None:
        """Forget everything."""
        self._chunks.close()
        self._lists.close()


def _keep(connection: Connection, hashes: list[bytes]) -> None:
    query = select(chunks.c.hash, chunks.c.condemned).where(chunks.c.hash.in_(hashes))
    held = {row.hash: row.condemned for row in connection.execute(query)}
    if len(held) < len(hashes):
        raise Conflict(GONE, fix=AGAIN)
    if condemned := [hash_ for hash_, when in held.items() if when is not None]:
        connection.execute(update(chunks).where(chunks.c.hash.in_(condemned)).values(condemned=None))
