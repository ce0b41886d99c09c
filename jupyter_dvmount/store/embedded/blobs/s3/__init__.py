"""Blobs as objects of a bucket on any S3 server."""

from .address import Address, parse_address
from .blobs import S3Blobs
from .opening import open_bucket

__all__ = ["Address", "S3Blobs", "open_bucket", "parse_address"]
