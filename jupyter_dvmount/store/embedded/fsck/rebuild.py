"""Make a catalog anew from the blobs alone: names from the journal, chunks from the packs' footers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing

from sqlalchemy import Connection, insert, select

from jupyter_dvmount.store.embedded.blobs.base import PACKS, Blobs
from jupyter_dvmount.store.embedded.catalog import Catalog, open_catalog
from jupyter_dvmount.store.embedded.catalog.schema import changes, repos
from jupyter_dvmount.store.embedded.data import open_data
from jupyter_dvmount.store.embedded.journal import images
from jupyter_dvmount.store.embedded.journal.images import Image
from jupyter_dvmount.store.embedded.journal.log import Journal, read_journal
from jupyter_dvmount.store.embedded.packs.pack import BadPack, SealedPack, read_footer
from jupyter_dvmount.store.embedded.place import parse_place
from jupyter_dvmount.store.errors import Corrupt
from jupyter_dvmount.store.model import Problem
from jupyter_dvmount.store.protocol import Progress

_log = logging.getLogger("jupyter_dvmount.store")


def rebuild_embedded(url: str, *, progress: Progress | None = None) -> Iterator[Problem]:
    """Make the catalog of a store anew; the old one, if there is one, is kept beside it.

    Parameters
    ----------
    url
        As for `open_embedded`.
    progress
        Called with (packs, bytes) seen so far.

    Yields
    ------
    Problem
        What cannot be read.

    Raises
    ------
    NotFound, Unavailable, Denied, Invalid, Corrupt
        If there is no store, its journal cannot be read, or the catalog is another store's or of a newer
        version. Nothing is changed then.
    """
    place = parse_place(url)
    data = open_data(place.blobs, None)
    with closing(data.blobs), open_catalog(place.catalog) as old:
        _save_untold(old, data.id, data.blobs)
        with old.replacing() as catalog:
            catalog.create(data.id)
            yield from refill(catalog, data.blobs.source, progress)


def _save_untold(old: Catalog, id_: str, blobs: Blobs) -> None:
    """Write what the old catalog has not told its journal yet, if it can still be read."""
    try:
        old.check(id_)
        journal = Journal(old, blobs)
        journal.flush()
        journal.close()
    except Corrupt as error:  # but one of another store or of a newer program is not replaced
        _log.warning("the old catalog cannot be read: %s", error.message)


def refill(catalog: Catalog, blobs: Blobs, progress: Progress | None) -> Iterator[Problem]:
    """Fill an empty catalog with what the blobs tell.

    Parameters
    ----------
    catalog, blobs
        Of the store.
    progress
        Called with (packs, bytes) seen so far.

    Yields
    ------
    Problem
        Packs that cannot be read. What was in them is lost, unless it is elsewhere as well.
    """
    with catalog.write("cannot fill the catalog") as connection:
        last = None
        for last in read_journal(blobs):
            images.apply(connection, last)
        if last is not None:
            _continue_feed(connection, last)
    count = size = 0
    for blob in blobs.list(PACKS):
        name = blob.name.removeprefix(PACKS)
        try:
            kind, places = read_footer(blobs, name)
            found = SealedPack(name, kind, blob.size, list(places))
        except (BadPack, Corrupt) as error:
            yield Problem(code="corrupt", message=f"pack {name}: {error}")
            continue
        with catalog.write("cannot enter a pack") as connection:
            catalog.insert_packs(connection, [found])
        count, size = count + 1, size + blob.size
        if progress is not None:
            progress(count, size)


def _continue_feed(connection: Connection, last: Image) -> None:
    """Number changes on from where those who follow the feed may be, and tell them to look at everything."""
    names = connection.execute(select(repos.c.name)).scalars().all()
    for seq, name in enumerate(dict.fromkeys([last.name, *names]), last.seq + 1):
        values = {"kind": "repo", "action": "updated", "repo": name, "branch": "", "commit_id": ""}
        connection.execute(insert(changes).values(seq=seq, **values))
