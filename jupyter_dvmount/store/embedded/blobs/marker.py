"""The blob ``format``, which makes a place a store (``docs/format.md``, the directory)."""

from __future__ import annotations

import re

import msgspec

from jupyter_dvmount.store.errors import Corrupt, Unavailable

VERSION = 1
MARKER = "format"
"""Name of the blob."""
_FORMAT = "dvmount-store"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Marker(msgspec.Struct, frozen=True):
    """What the blob holds."""

    format: str
    version: int
    id: str = ""


def encode_marker(id_: str) -> bytes:
    """The blob of a store with an id."""
    return msgspec.json.encode(Marker(_FORMAT, VERSION, id_)) + b"\n"


def decode_marker(data: bytes, place: str) -> Marker:
    """The marker of the store at a place.

    Raises
    ------
    Corrupt
        If it is not one.
    Unavailable
        If the store is of a newer format.
    """
    try:
        marker = msgspec.json.decode(data, type=Marker)
    except msgspec.DecodeError:
        marker = None
    if marker is None or marker.format != _FORMAT:
        raise Corrupt(
            f"{place}/{MARKER} is damaged or not of a store", fix="restore it, or name another store"
        )
    if marker.id and not _ID.fullmatch(marker.id):  # it becomes the name of directories
        raise Corrupt(f"{place}/{MARKER} has an illegal id", fix="restore it, or name another store")
    if marker.version > VERSION:
        raise Unavailable(
            f"the store {place} has format {marker.version}, this program knows up to {VERSION}",
            fix="update jupyter-dvmount: pip install --upgrade jupyter-dvmount",
        )
    return marker
