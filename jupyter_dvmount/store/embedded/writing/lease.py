"""Signs of life of a writer whose packs are in the catalog before its commit is."""

from __future__ import annotations

import logging
import threading
import uuid

from sqlalchemy import Connection, Executable, delete, insert, update

from jupyter_dvmount.store.embedded.catalog import Catalog
from jupyter_dvmount.store.embedded.catalog.schema import now, packs, writers
from jupyter_dvmount.store.errors import StoreError

EXPIRES = 900.0
"""Seconds after its last sign of life when a writer is taken for dead."""
_BEAT = 60.0
_log = logging.getLogger("jupyter_dvmount.store")


class Lease:
    """Keeps the packs that carry its ``id`` from being collected, from the first of them until the commit.

    It makes long puts likely to succeed; that no commit lacks anything is seen to by the epochs.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.id = uuid.uuid4().hex
        self._catalog = catalog
        self._ended = threading.Event()
        self._beating: threading.Thread | None = None
        self._held = False

    def take(self, connection: Connection) -> None:
        """Take the lease with the transaction, if it is not held."""
        if not self._held:
            connection.execute(insert(writers).values(id=self.id, started=now(), seen=now()))
            self._held = True
            self._beating = threading.Thread(target=self._beat, name="dvmount-lease", daemon=True)
            self._beating.start()

    def release(self, connection: Connection) -> None:
        """Give the lease back with the transaction: the packs are a commit's now."""
        if self._held:
            connection.execute(update(packs).where(packs.c.writer == self.id).values(writer=None))
            connection.execute(delete(writers).where(writers.c.id == self.id))

    def close(self) -> None:
        """End the signs of life."""
        self._ended.set()
        if self._beating is not None:
            self._beating.join()
            self._write(delete(writers).where(writers.c.id == self.id))

    def _beat(self) -> None:
        while not self._ended.wait(_BEAT):
            self._write(update(writers).where(writers.c.id == self.id).values(seen=now()))

    def _write(self, statement: Executable) -> None:
        try:
            with self._catalog.write("cannot keep a lease") as connection:
                connection.execute(statement)
        except StoreError as error:
            _log.warning("%s", error.message)
