"""What ``put file`` reads from S3: an object, or all objects below a prefix."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from jupyter_dvmount.store import (
    CommitWriter,
    Conflict,
    Denied,
    Invalid,
    NotFound,
    Progress,
    StoreError,
    Unavailable,
    check_path,
)

from .sources import BLOCK, S3_SCHEME, Counted

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TIMEOUT_SECONDS = 60.0
"""A server that is silent for so long is taken for dead."""
_CREDENTIALS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, to some that may read there"
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_REFUSED = {
    "403",
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "AllAccessDisabled",
}


class _Object(NamedTuple):
    """An object as it was when it was found."""

    key: str
    size: int
    etag: str


class ObjectSource:
    """An object, or every object below a prefix, as they are when this is made.

    An object that is another one when it is read is an error. Credentials, region and endpoint
    (``AWS_ENDPOINT_URL``) are found by boto3 where it always looks.

    Parameters
    ----------
    location
        ``s3://bucket/key``, taken literally.
    target
        Path of it in the commit.
    recursive
        Whether the key may be a prefix, which ends at a slash.
    """

    def __init__(self, location: str, target: str, *, recursive: bool) -> None:
        self.label = location
        self._target = target
        self._bucket, _, self._key = location.removeprefix(S3_SCHEME).partition("/")
        if not self._bucket:
            raise Invalid(f"{location!r} names no bucket", fix="write s3://bucket/key")
        with _errors(location):
            self._s3 = _client()
            self._objects = list(self._below()) if recursive else [self._single()]
            if not self._objects:
                self._objects = [self._single()]
        self.files = len(self._objects)
        self.size: int | None = sum(each.size for each in self._objects)

    def write(self, writer: CommitWriter, *, append: bool, progress: Progress) -> None:
        """See `Source`."""
        size = 0
        for count, each in enumerate(self._objects):
            path = self._place(each)
            with _errors(f"{S3_SCHEME}{self._bucket}/{each.key}"):
                answer = self._s3.get_object(Bucket=self._bucket, Key=each.key, IfMatch=each.etag)
                body = Counted(answer["Body"], _ahead(progress, count, size))
                writer.put(path, io.BufferedReader(body, BLOCK), append=append)
            size += each.size
        progress(self.files, size)

    def verify(self) -> None:
        """Each object was read as it had been found, or not at all."""

    def _place(self, found: _Object) -> str:
        relative = found.key[len(self._prefix) :] if found.key != self._key else ""
        return check_path(f"{self._target.rstrip('/')}/{relative}") if relative else self._target

    @property
    def _prefix(self) -> str:
        return f"{self._key.rstrip('/')}/" if self._key else ""

    def _below(self) -> Iterator[_Object]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        for page in pages:
            for each in page.get("Contents", []):
                if not each["Key"].endswith("/"):  # marks a directory, which appears with its files
                    yield _Object(each["Key"], each["Size"], each["ETag"])

    def _single(self) -> _Object:
        from botocore.exceptions import ClientError

        if self._key and not self._key.endswith("/"):
            try:
                head = self._s3.head_object(Bucket=self._bucket, Key=self._key)
                return _Object(self._key, head["ContentLength"], head["ETag"])
            except ClientError as error:
                if _code(error) != "404":
                    raise
        if next(self._below(), None) is not None:
            raise Invalid(f"{self.label} is a prefix", fix="add -r to put everything below it")
        raise NotFound(f"there is no object {self.label}", fix=f"see 'aws s3 ls {S3_SCHEME}{self._bucket}/'")


def _ahead(progress: Progress, files: int, size: int) -> Progress:
    """Progress on top of what was done before."""
    return lambda more_files, more: progress(files + more_files, size + more)


def _client() -> S3Client:
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=TIMEOUT_SECONDS / 6,
        read_timeout=TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    return boto3.session.Session().client("s3", config=config)


@contextmanager
def _errors(label: str) -> Iterator[None]:
    """Say what boto3 raises in the words of the command."""
    from botocore import exceptions as boto
    from urllib3.exceptions import HTTPError

    try:
        yield
    except boto.ClientError as error:
        raise _refusal(f"cannot get {label}", _code(error)) from error
    except (
        boto.NoCredentialsError,
        boto.PartialCredentialsError,
        boto.CredentialRetrievalError,
        boto.ProfileNotFound,
        boto.TokenRetrievalError,
        boto.SSOError,
    ) as error:
        raise Denied(f"cannot get {label}: no usable credentials", fix=_CREDENTIALS) from error
    except boto.ParamValidationError as error:
        raise Invalid(
            f"illegal name of a bucket or object in {label}", fix="write s3://bucket/key"
        ) from error
    except (boto.BotoCoreError, HTTPError) as error:
        raise Unavailable(
            f"cannot get {label}: {type(error).__name__}",
            fix="see that the server can be reached, then try again",
        ) from error


def _code(error: Any) -> str:
    """The server's word for what is wrong; its other texts may repeat parts of the request."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _refusal(doing: str, code: str) -> StoreError:
    if code == "NoSuchBucket":
        return NotFound(f"{doing}: there is no such bucket", fix="see 'aws s3 ls'")
    if code in {"NoSuchKey", "404", "PreconditionFailed", "412"}:
        return Conflict(f"{doing}: it has changed meanwhile", fix="try again when nothing writes there")
    if code in _EXPIRED:
        return Denied(f"{doing}: the credentials have expired", fix="renew them")
    if code in _REFUSED:
        return Denied(f"{doing}: {code}", fix=_CREDENTIALS)
    return Unavailable(f"{doing}: the server says {code}", fix="try again")
