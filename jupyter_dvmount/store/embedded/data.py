"""Open the data of a store, wherever they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .blobs import Blobs, LocalBlobs
from .blobs.layout import open_layout, remove_rubbish
from .blobs.s3.address import Address
from .machine.copies import LocalCopies, local_copies, staging_directory
from .place import Directory


class Data(NamedTuple):
    """The data of an open store.

    Parameters
    ----------
    id
        The store's id.
    blobs
        The bytes.
    copies
        What is kept on the local disk; None if all data are there.
    """

    id: str
    blobs: Blobs
    copies: LocalCopies | None = None


def open_data(where: Directory | Address, make_catalog: Callable[[str], str] | None) -> Data:
    """Open the data at a place, or make them.

    Parameters
    ----------
    where
        The place.
    make_catalog
        Makes the catalog of a store with an id; returns the id of the one that was there before. None if
        no store is to be made.

    Raises
    ------
    NotFound, Denied, Unavailable, Invalid, Corrupt
        If there are none and none may be made, they cannot be used, are of a newer format or no store.
    """
    if isinstance(where, Directory):
        layout = open_layout(where.path, make_catalog)
        remove_rubbish(layout.tmp)
        return Data(layout.id, LocalBlobs(layout.root))
    return _open_far(where, make_catalog)


def _open_far(address: Address, make_catalog: Callable[[str], str] | None) -> Data:
    from .blobs.cache import CachedBlobs
    from .blobs.s3.blobs import S3Blobs  # boto3 takes 0.2 s to load
    from .blobs.s3.opening import open_bucket

    blobs = S3Blobs(address, staging_directory())
    try:
        id_ = open_bucket(blobs, make_catalog)
        copies = local_copies(id_)
        remove_rubbish(blobs.staging)
    except BaseException:
        blobs.close()
        raise
    return Data(id_, CachedBlobs(blobs, copies.blocks), copies)
