"""The boto3 client of a store on S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from .address import Address
from .failures import s3_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

THREADS = 32
"""Requests at one time."""
_ATTEMPTS = 3


def connect(address: Address) -> S3Client:
    """A thread-safe client, with credentials from boto3's own chain.

    Raises
    ------
    Denied, Invalid
        If boto3's configuration cannot be used.
    """
    # A server that is frozen is asked _ATTEMPTS times, with up to 3 s of pauses, within the patience.
    once = address.patience / (_ATTEMPTS + 1)
    style: Any = _style(address)
    config = Config(
        connect_timeout=once,
        read_timeout=once,
        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        max_pool_connections=THREADS,
        s3={"addressing_style": style},
        # Older servers of other makers know no trailing checksums; uploads have an MD5, chunks a hash.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        tcp_keepalive=True,
    )
    with s3_errors("open", "the store", address):
        client: S3Client = boto3.session.Session().client(
            "s3",
            endpoint_url=address.endpoint or None,
            region_name=address.region or None,
            config=config,
        )
        return client


def _style(address: Address) -> str:
    if address.style == "auto" and address.endpoint:
        return "path"  # few servers have a name in the DNS for every bucket
    return address.style
