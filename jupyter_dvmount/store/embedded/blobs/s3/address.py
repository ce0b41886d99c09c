"""Where a store on S3 is: its URL, checked."""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import msgspec

from jupyter_dvmount.store.errors import Invalid

PATIENCE = 20.0
"""Seconds within which a read has ended, one way or the other, by default."""
TIMEOUT = "DVMOUNT_S3_TIMEOUT"
"""Environment variable with another number of seconds."""
STYLES = ("auto", "path", "virtual")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,61}\Z")
_FORM = "write s3://bucket/prefix?endpoint=https://host:port&region=name"
_CREDENTIALS = (
    "leave them out of the URL: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, instead"
)


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A place on an S3 server. It holds no credentials.

    Parameters
    ----------
    bucket
        Name of the bucket.
    prefix
        What the keys of the store begin with, without slashes at its ends; may be empty.
    endpoint
        URL of the server; empty for AWS, or what boto3's own configuration says.
    region
        Its region; empty for what boto3's own configuration says.
    style
        How the bucket is named to the server: in the ``path``, as a ``virtual`` host, or ``auto``: in the
        path for an endpoint of one's own.
    timeout
        Seconds within which a read has ended; 0 for what `TIMEOUT` or else `PATIENCE` says.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    style: str = "auto"
    timeout: float = 0.0

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/") + (
            f" at {self.endpoint}" if self.endpoint else ""
        )

    @property
    def options(self) -> dict[str, str]:
        """The options of the URL that are not at their defaults."""
        options = {"endpoint": self.endpoint, "region": self.region}
        options |= {"style": self.style} if self.style != "auto" else {}
        options |= {"timeout": f"{self.timeout:g}"} if self.timeout else {}
        return {name: value for name, value in options.items() if value}

    @property
    def patience(self) -> float:
        """Seconds within which a read has ended."""
        return self.timeout or _seconds(os.environ.get(TIMEOUT) or str(PATIENCE))

    @property
    def url(self) -> str:
        """The address as a URL that can be opened again."""
        query = f"?{urlencode(self.options, safe=':/')}" if self.options else ""
        return f"s3://{self.bucket}/{quote(self.prefix)}".rstrip("/") + query


def parse_address(url: str) -> Address:
    """The address that ``s3://bucket/prefix?endpoint=…&region=…&style=…&timeout=…`` means.

    Raises
    ------
    Invalid
        If a part is not legal or not known, or the URL has credentials. The message never repeats them.
    """
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        server = urlsplit(options.get("endpoint", "")).netloc
        _ = urlsplit(options.get("endpoint", "")).port  # ValueError for what is none
    except ValueError:
        raise Invalid("illegal store URL: it cannot be parsed", fix=_FORM) from None
    if "@" in parts.netloc or "@" in server:
        raise Invalid("a store URL with credentials is refused", fix=_CREDENTIALS)
    if not _BUCKET.match(parts.netloc):
        raise Invalid(f"illegal bucket name {parts.netloc!r} in the store URL", fix=_FORM)
    if parts.fragment:
        raise Invalid("illegal store URL: it has a '#'", fix="write %23 for #")
    unknown = sorted(options.keys() - {"endpoint", "region", "style", "timeout"})
    if unknown:  # the name only: the value may be a secret
        raise Invalid(f"unknown option {unknown[0]!r} in the store URL", fix=_FORM)
    return Address(
        bucket=parts.netloc,
        prefix=_prefix(unquote(parts.path)),
        endpoint=_endpoint(options.get("endpoint", "")),
        region=_region(options.get("region", "")),
        style=_style(options.get("style", "auto")),
        timeout=_seconds(options["timeout"]) if "timeout" in options else 0.0,
    )


def _prefix(path: str) -> str:
    prefix = path.strip("/")
    if any(part in {"", ".", ".."} for part in prefix.split("/")) and prefix:
        raise Invalid(f"illegal prefix {prefix!r} in the store URL", fix="use plain names between slashes")
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in prefix):
        raise Invalid("illegal prefix in the store URL: it has a control character", fix=_FORM)
    return prefix


def _endpoint(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    if endpoint and (
        parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment
    ):
        raise Invalid(
            f"illegal endpoint {endpoint!r} in the store URL", fix="write endpoint=https://host:port"
        )
    return endpoint.rstrip("/")


def _region(region: str) -> str:
    if region and not _REGION.match(region):
        raise Invalid(f"illegal region {region!r} in the store URL", fix=_FORM)
    return region


def _style(style: str) -> str:
    if style not in STYLES:
        raise Invalid(f"illegal style {style!r} in the store URL", fix=f"use one of {', '.join(STYLES)}")
    return style


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 3600:
        raise Invalid(
            f"illegal time limit {text!r} for S3", fix=f"give {TIMEOUT} or timeout= 1 to 3600 seconds"
        )
    return seconds
