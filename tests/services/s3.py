"""An S3 server for tests: moto's, or the one that ``DVMOUNT_TEST_S3`` names (``make test-s3``)."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from unittest import mock

import boto3
import msgspec
from botocore.config import Config
from botocore.loaders import JSONFileLoader

ENDPOINT = "DVMOUNT_TEST_S3"
"""Environment variable with the endpoint of a server that runs already; the credentials are boto3's own."""


class S3Server(msgspec.Struct, frozen=True):
    """A server that runs.

    Parameters
    ----------
    endpoint
        Its URL.
    pid
        Its process, or 0 if it is not ours.
    """

    endpoint: str
    pid: int

    def client(self):
        """A plain boto3 client, for looking at the server past the code under test."""
        return _client(self.endpoint)

    def new_bucket(self) -> str:
        """Make a bucket of its own for a test."""
        name = f"dvmount-test-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name

    def remove_bucket(self, name: str) -> None:
        """Remove a bucket with what is in it."""
        client = self.client()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
            for found in page.get("Contents", []):
                client.delete_object(Bucket=name, Key=found["Key"])
        client.delete_bucket(Bucket=name)


@lru_cache
def _client(endpoint: str):
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    return boto3.session.Session().client("s3", endpoint_url=endpoint, config=config)


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """Run a server for the time of the block, with boto3's environment set so that only it is reached."""
    given = os.environ.get(ENDPOINT)
    settings = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }
    if given:
        with mock.patch.dict(os.environ, settings):
            yield S3Server(given, 0)
    else:
        keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
        with mock.patch.dict(os.environ, settings | keys), _descriptions_read_once(), moto() as server:
            yield server


def _descriptions_read_once():
    """boto3 reads megabytes of JSON that describe the service for every client; tests make hundreds."""
    read = lru_cache(None)(JSONFileLoader().load_file)
    return mock.patch.object(JSONFileLoader, "load_file", lambda _, path: read(path))


@contextmanager
def moto(**environment: str) -> Iterator[S3Server]:
    """Run moto's server as a process of its own, which ends with this one at the latest."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.services.moto"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | environment,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        yield S3Server(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
