"""Blobs as objects of a bucket."""

from __future__ import annotations

import hashlib
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from jupyter_dvmount.store.embedded.blobs.base import BlobInfo
from jupyter_dvmount.store.embedded.machine.diskcache import private_directory
from jupyter_dvmount.store.errors import Unavailable

from .address import Address
from .client import THREADS, connect
from .failures import error_code, incomplete, missing, s3_errors, too_late

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

T = TypeVar("T")
_TRIES = 3  # answers that may break off while a range is read
_SLOWEST = 64 << 10  # bytes a second; a pack's transfer that is slower is given up
_PIECE = 8 << 10  # bytes of an answer between two looks at the clock
_THERE = {"PreconditionFailed", "ConditionalRequestConflict"}


class S3Blobs:
    """`Blobs` in a bucket, below a prefix.

    A pack is uploaded by one request: it is there whole or not at all, and a writer that is killed leaves
    no parts of an upload behind, which would cost money unseen. Every request is made by a thread of a
    pool, so that nobody waits for it longer than the address's patience, whatever the server does.

    Parameters
    ----------
    address
        Where.
    staging
        A local directory for files that are to be uploaded.

    Raises
    ------
    Denied, Invalid
        If boto3 has no usable configuration.
    """

    def __init__(self, address: Address, staging: Path) -> None:
        self.address = address
        self.patience = address.patience
        self._staging = staging
        self._root = f"{address.prefix}/" if address.prefix else ""
        self._client: S3Client = connect(address)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="dvmount-s3")

    @property
    def staging(self) -> Path:
        """Where files that are to be uploaded are written; made anew if somebody has deleted it."""
        try:
            private_directory(self._staging)
        except OSError as error:
            raise Unavailable(
                f"cannot write packs in {self._staging}: {error.strerror}",
                fix="set XDG_CACHE_HOME to a directory of yours with some space",
            ) from error
        return self._staging

    @property
    def source(self) -> S3Blobs:
        """These blobs."""
        return self

    def fetch(self, name: str, offset: int, length: int) -> Future[bytes]:
        """Begin to read a range; `wait` gives the result."""
        return self._submit(self._get, name, offset, length, time.monotonic() + self.patience)

    def wait(self, fetched: Future[T], doing: str, seconds: float | None = None) -> T:
        """The result of what was begun, waited for not longer than ``seconds`` (default: the patience)."""
        limit = self.patience if seconds is None else seconds
        try:
            return fetched.result(limit)
        except FutureTimeout:
            raise too_late(doing, self.address, limit) from None

    def read(self, name: str, offset: int, length: int) -> bytes:
        """A range of a blob."""
        return self.wait(self.fetch(name, offset, length), f"read {name}")

    def size(self, name: str) -> int:
        """Bytes of a blob."""
        page = self._call("find", name, partial(self._list, name, ""))  # HEAD does not tell what is missing
        for found in page.get("Contents", []):
            if found["Key"] == self._root + name:
                return found["Size"]
        raise missing(name, self.address)

    def load(self, name: str) -> bytes:
        """A whole blob."""
        size = self.size(name)
        seconds = self.patience + size / _SLOWEST
        fetched = self._submit(self._get, name, 0, size, time.monotonic() + seconds)
        return self.wait(fetched, f"read {name}", seconds)

    def publish(self, file: BinaryIO, name: str) -> None:
        """Upload a file."""
        check = hashlib.md5(usedforsecurity=False)
        file.seek(0)
        while piece := file.read(1 << 20):
            check.update(piece)
        size = file.tell()
        file.seek(0)
        self._put(name, file, size, check.digest())
        Path(file.name).unlink(missing_ok=True)

    def write(self, name: str, data: bytes) -> None:
        """Make or replace a small blob."""
        self._put(name, data, len(data), hashlib.md5(data, usedforsecurity=False).digest())

    def create(self, name: str, data: bytes) -> bytes:
        """Make a small blob if there is none; returns what is there then.

        Of several who do this at once the first one wins, but on servers that know no conditional writes
        the last one.
        """
        self._call("write", name, partial(self._create, name, data))
        return self.load(name)

    def list(self, prefix: str, after: str = "") -> Iterator[BlobInfo]:
        """Blobs below a prefix, by name; one request for a thousand."""
        more = True
        while more:
            page = self._call("list", prefix, partial(self._list, prefix, after))
            for found in page.get("Contents", []):
                after = found["Key"].removeprefix(self._root)
                yield BlobInfo(after, found["Size"], found["LastModified"].timestamp())
            more = page["IsTruncated"]

    def delete(self, name: str) -> None:
        """Remove a blob."""
        self._call("delete", name, partial(self._client.delete_object, **self._at(name)))

    def forget(self, name: str, offset: int, length: int) -> bool:
        """Nothing is kept here."""
        return False

    def close(self) -> None:
        """Close the connections; what is under way ends within its time."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _at(self, name: str) -> Any:
        return {"Bucket": self.address.bucket, "Key": self._root + name}

    def _list(self, prefix: str, after: str) -> ListObjectsV2OutputTypeDef:
        return self._client.list_objects_v2(
            Bucket=self.address.bucket, Prefix=self._root + prefix, StartAfter=self._root + after
        )

    def _submit(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        try:
            return self._pool.submit(work, *arguments)
        except RuntimeError as error:
            raise Unavailable("the store is closed", fix="open it again") from error

    def _call(self, doing: str, name: str, ask: Callable[[], T], seconds: float | None = None) -> T:
        def asked() -> T:
            with s3_errors(doing, name, self.address):
                return ask()

        return self.wait(self._submit(asked), f"{doing} {name}", seconds)

    def _get(self, name: str, offset: int, length: int, deadline: float) -> bytes:
        """Read a range, and go on where an answer breaks off."""
        data = bytearray()
        with s3_errors("read", name, self.address):
            for _ in range(_TRIES):
                if self._pour(name, offset, length, data, deadline):
                    return bytes(data)
        raise incomplete(name, self.address)

    def _pour(self, name: str, offset: int, length: int, data: bytearray, deadline: float) -> bool:
        """Add what is missing to ``data``; whether that is all there is."""
        start = offset + len(data)
        if start == offset + length:
            return True
        try:
            answer = self._client.get_object(**self._at(name), Range=f"bytes={start}-{offset + length - 1}")
        except ClientError as error:
            if error_code(error) == "InvalidRange":  # past the end
                return True
            raise
        with closing(answer["Body"]) as body:
            if not answer.get("ContentRange", "").startswith(f"bytes {start}-"):
                raise incomplete(name, self.address)
            try:
                while piece := body.read(_PIECE):
                    data += piece
                    if time.monotonic() > deadline:
                        raise too_late(f"read {name}", self.address, self.patience)
            except (BotoCoreError, HTTPError):  # boto3 tries no more once an answer has begun
                return False
        return True

    def _put(self, name: str, body: BinaryIO | bytes, size: int, md5: bytes) -> None:
        """Upload; the server compares the MD5 that it is told with that of what arrives."""
        ask = partial(
            self._client.put_object,
            **self._at(name),
            Body=body,
            ContentLength=size,
            ContentMD5=b64encode(md5).decode(),
        )
        answer = self._call("write", name, ask, self.patience + size / _SLOWEST)
        if answer["ETag"].strip('"') != md5.hex() and self.size(name) != size:
            raise incomplete(name, self.address)  # an encrypted object's ETag is no MD5, so that is not all

    def _create(self, name: str, data: bytes) -> None:
        try:
            self._client.put_object(**self._at(name), Body=data, IfNoneMatch="*")
        except ClientError as error:
            if error_code(error) == "NotImplemented":
                self._client.put_object(**self._at(name), Body=data)
            elif error_code(error) not in _THERE:
                raise
