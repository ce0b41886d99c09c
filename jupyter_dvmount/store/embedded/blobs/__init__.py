"""Where the bytes of a store lie: one protocol, one module a place."""

from .base import BlobInfo, Blobs, MissingBlob
from .local import LocalBlobs

__all__ = ["BlobInfo", "Blobs", "LocalBlobs", "MissingBlob"]
