"""Copies the output of a job out of the store: to a directory or to S3."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jupyter_dvmount.store import CommitReader, Denied, FileInfo, StoreError, Unavailable


def export(reader: CommitReader, target: str) -> None:
    """Copy every file of a commit to a place outside of the store; files that are there are replaced.

    Parameters
    ----------
    target
        ``s3://bucket/prefix``, ``file:///directory`` or an absolute directory.

    Raises
    ------
    Unavailable, Denied
        If it cannot be written; what is there by then stays, and doing it again mends it.
    """
    parts = urlsplit(target)
    if parts.scheme == "s3":
        _to_s3(reader, parts.netloc, parts.path.strip("/"))
    else:
        _to_directory(reader, Path(unquote(parts.path)))


def _to_directory(reader: CommitReader, directory: Path) -> None:
    try:
        for info in _files(reader):
            path = directory / info.path.strip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
            try:
                with temporary.open("wb") as file:
                    for part in reader.parts(info, 0, info.size):
                        file.write(part)
                temporary.replace(path)
            finally:
                with suppress(FileNotFoundError):
                    temporary.unlink()
    except OSError as error:
        kind = Denied if isinstance(error, PermissionError) else Unavailable
        raise kind(
            f"egress: {error.filename or directory}: {error.strerror}",
            fix="see to the directory and its disk",
        ) from error


def _to_s3(reader: CommitReader, bucket: str, prefix: str) -> None:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client: Any = boto3.client("s3")
        for info in _files(reader):
            with reader.open(info.path) as body:
                client.upload_fileobj(body, bucket, f"{prefix}{info.path}".lstrip("/"))
    except (BotoCoreError, ClientError) as error:
        raise _refused(bucket, str(error)) from error


def _refused(bucket: str, message: str) -> StoreError:
    fix = "see to the bucket, the credentials (AWS_…) and AWS_ENDPOINT_URL of the controller"
    kind = Denied if "AccessDenied" in message or "credentials" in message else Unavailable
    return kind(f"egress: s3://{bucket}: {message}", fix=fix)


def _files(reader: CommitReader) -> Iterator[FileInfo]:
    return (info for info in reader.walk("/") if info.type == "file")
