"""``put file -f s3://…``, from a real S3 server over HTTP."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.cli.command import Dvmount
from tests.services.s3 import S3Server, running_s3


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with running_s3() as server:
        yield server


@pytest.fixture(scope="module")
def client(server: S3Server) -> Any:
    return server.client()


@pytest.fixture(scope="module")
def bucket(server: S3Server, client: Any) -> Iterator[str]:
    name = server.new_bucket()
    for key, data in [
        ("photos/cat.png", b"meow"),
        ("photos/2026/dog.png", b"woof" * 1_000_000),
        ("photos/2026/", b""),
        ("photos-old/x", b"x"),
        ("a b%20c.txt", b"odd name"),
    ]:
        client.put_object(Bucket=name, Key=key, Body=data)
    yield name
    server.remove_bucket(name)


@pytest.fixture(autouse=True)
def repo(dvmount: Dvmount, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    dvmount("create", "repo", "images")


def paths(dvmount: Dvmount) -> list[tuple[str, int]]:
    found = dvmount.json("glob", "file", "images@master:/**")
    return [(file["path"], file["size"]) for file in found if file["type"] == "file"]


def test_an_object_becomes_a_file(dvmount: Dvmount, bucket: str) -> None:
    dvmount("put", "file", "images", "-f", f"s3://{bucket}/photos/cat.png")
    dvmount("put", "file", "images:/pets/tom.png", "-f", f"s3://{bucket}/photos/cat.png", "-m", "tom")
    dvmount("put", "file", "images:/pets/", "-f", f"s3://{bucket}/a b%20c.txt")
    dvmount("put", "file", "images:/pets/tom.png", "-a", "-f", f"s3://{bucket}/photos/cat.png")
    assert paths(dvmount) == [("/cat.png", 4), ("/pets/a b%20c.txt", 8), ("/pets/tom.png", 8)]
    assert dvmount("get", "file", "images:/pets/a b%20c.txt") == "odd name"


@pytest.mark.parametrize(
    ("target", "prefix", "base"),
    [
        ("images", "/photos", "/photos"),
        ("images", "/photos/", "/photos"),
        ("images:/new", "/photos", "/new"),
        ("images:/new/", "/photos", "/new"),
        ("images:/", "/photos", ""),
    ],
)
def test_a_prefix_becomes_a_directory(
    dvmount: Dvmount, bucket: str, target: str, prefix: str, base: str
) -> None:
    dvmount("put", "file", target, "-r", "-f", f"s3://{bucket}{prefix}")
    assert paths(dvmount) == [(f"{base}/2026/dog.png", 4_000_000), (f"{base}/cat.png", 4)]
    assert len(dvmount.commits()) == 1


def test_a_whole_bucket_and_a_single_object_can_be_put_recursively(dvmount: Dvmount, bucket: str) -> None:
    dvmount("put", "file", "images:/", "-r", "-f", f"s3://{bucket}")
    assert len(paths(dvmount)) == 4
    dvmount("put", "file", "images:/cat", "-r", "-f", f"s3://{bucket}/photos/cat.png")
    assert dvmount("get", "file", "images:/cat") == "meow"


@pytest.mark.parametrize(
    ("location", "what"),
    [
        ("s3://{}/nope.png", "there is no object s3://"),
        ("s3://{}/photos", "add -r"),
        ("s3://{}/photos/", "add -r"),
        ("s3://{}/photos/2026/", "add -r"),
        ("s3://{}", "add -r"),
        ("s3://no-such-bucket-here/x", "no such bucket"),
        ("s3://", "names no bucket"),
        ("s3://b@d bucket/x", "illegal name"),
    ],
)
def test_what_cannot_be_put_is_refused(dvmount: Dvmount, bucket: str, location: str, what: str) -> None:
    assert what in dvmount.error("put", "file", "images", "-f", location.format(bucket))
    assert dvmount.commits() == []


def test_a_prefix_without_objects_is_refused(dvmount: Dvmount, bucket: str) -> None:
    assert "there is no object" in dvmount.error("put", "file", "images", "-r", "-f", f"s3://{bucket}/none")


def test_an_object_that_changes_meanwhile_stops_the_put(
    dvmount: Dvmount, bucket: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_dvmount.cli import put

    write = put._write

    def change_first(*arguments: Any) -> None:
        client.put_object(Bucket=bucket, Key="changing/x", Body=b"new")
        write(*arguments)

    client.put_object(Bucket=bucket, Key="changing/x", Body=b"old")
    monkeypatch.setattr(put, "_write", change_first)
    said = dvmount.error("put", "file", "images", "-r", "-f", f"s3://{bucket}/changing")
    client.delete_object(Bucket=bucket, Key="changing/x")
    assert "x: it has changed meanwhile" in said
    assert dvmount.commits() == []


@pytest.mark.parametrize(
    ("keys", "what"), [(["odd/a//b"], "component ''"), (["odd/a", "odd/a/b"], "is a file")]
)
def test_keys_that_no_path_can_have_are_refused(
    dvmount: Dvmount, bucket: str, client: Any, keys: list[str], what: str
) -> None:
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=b"1")
    said = dvmount.error("put", "file", "images", "-r", "-f", f"s3://{bucket}/odd")
    for key in keys:
        client.delete_object(Bucket=bucket, Key=key)
    assert what in said
    assert dvmount.commits() == []


def test_missing_credentials_are_named(
    dvmount: Dvmount, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    said = dvmount.error("put", "file", "images", "-f", f"s3://{bucket}/photos/cat.png")
    assert "no usable credentials; set AWS_ACCESS_KEY_ID" in said
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "no usable credentials" in dvmount.error("put", "file", "images", "-f", f"s3://{bucket}/x")


def test_a_server_that_is_down_is_named(
    dvmount: Dvmount, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
        said = dvmount.error("put", "file", "images", "-f", f"s3://{bucket}/photos/cat.png")
    assert "EndpointConnectionError; see that the server can be reached" in said


def test_a_transfer_that_breaks_off_leaves_nothing(
    dvmount: Dvmount, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.response import StreamingBody

    from jupyter_dvmount.cli.objects import ObjectSource

    original = ObjectSource.__init__

    class Broken:
        def __init__(self, client: object) -> None:
            self._client = client

        def get_object(self, **arguments: str) -> dict[str, object]:
            answer = self._client.get_object(**arguments)  # type: ignore[attr-defined]
            return {"Body": StreamingBody(io.BytesIO(answer["Body"].read()[:-1]), answer["ContentLength"])}

    def broken(self: ObjectSource, *arguments: str, **options: bool) -> None:
        original(self, *arguments, **options)
        self._s3 = Broken(self._s3)

    monkeypatch.setattr(ObjectSource, "__init__", broken)
    assert "IncompleteReadError" in dvmount.error(
        "put", "file", "images", "-f", f"s3://{bucket}/photos/cat.png"
    )
    assert dvmount.commits() == []
