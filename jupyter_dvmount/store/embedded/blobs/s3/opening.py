"""Find the store in a bucket, make it, refuse what is not one (``docs/format.md``, objects)."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from jupyter_dvmount.store.embedded.blobs.base import MissingBlob
from jupyter_dvmount.store.embedded.blobs.marker import MARKER, decode_marker, encode_marker
from jupyter_dvmount.store.errors import Invalid, NoStore

from .blobs import S3Blobs

_OURS = {"packs", "journal", MARKER}


def open_bucket(blobs: S3Blobs, make_catalog: Callable[[str], str] | None) -> str:
    """The id of the store that the blobs belong to; it is made if there is none. The bucket has to be there.

    Parameters
    ----------
    blobs
        Where the store is.
    make_catalog
        Makes the catalog of a store with an id; returns the id of the one that was there before. None if
        no store is to be made.

    Raises
    ------
    NoStore, NotFound, Denied, Unavailable, Invalid, Corrupt
        If there is none and none may be made, it cannot be reached, is of a newer format or no store.
    """
    place = str(blobs.address)
    try:
        data = blobs.load(MARKER)
    except MissingBlob as error:
        if make_catalog is None:
            raise NoStore(
                f"no store at {place}", fix="put a file to make one, or name another store"
            ) from error
        _refuse_strangers(blobs)
        data = blobs.create(MARKER, encode_marker(make_catalog(uuid.uuid4().hex)))
    return decode_marker(data, place).id


def _refuse_strangers(blobs: S3Blobs) -> None:
    for found in blobs.list(""):
        if found.name.partition("/")[0] not in _OURS:
            raise Invalid(
                f"{blobs.address} is not a store and holds {found.name!r}",
                fix="name a prefix of its own for the store: s3://bucket/prefix",
            )
        return
