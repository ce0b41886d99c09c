"""A store's place on S3: made once, checked when opened, and what is in the way of that said plainly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

from jupyter_dvmount.store import Corrupt, Denied, Invalid, NotFound, StoreError, Unavailable
from jupyter_dvmount.store.embedded.blobs.s3.address import parse_address
from jupyter_dvmount.store.embedded.blobs.s3.blobs import S3Blobs
from jupyter_dvmount.store.embedded.blobs.s3.opening import open_bucket
from tests.services.s3 import moto

SECRET = "hunter2hunter2hunter2"


@pytest.fixture
def at(s3, tmp_path):
    """Makes blobs at a place of the server."""
    opened = []

    def open_at(place: str, endpoint: str = s3.endpoint) -> S3Blobs:
        opened.append(S3Blobs(parse_address(f"s3://{place}?endpoint={endpoint}"), tmp_path / "staging"))
        return opened[-1]

    yield open_at
    for blobs in opened:
        blobs.close()


def same(id_: str) -> str:
    """Makes a catalog that was not there before."""
    return id_


def test_a_store_is_made_once_and_keeps_its_id(at, bucket):
    id_ = open_bucket(at(f"{bucket}/a"), same)
    assert open_bucket(at(f"{bucket}/a"), None) == id_
    assert open_bucket(at(f"{bucket}/a"), same) == id_
    assert open_bucket(at(f"{bucket}/b"), same) != id_


def test_of_many_who_make_a_store_at_once_all_get_the_same(at, bucket):
    with ThreadPoolExecutor(8) as makers:
        ids = set(
            makers.map(
                lambda _: open_bucket(at(f"{bucket}/a"), same),
                range(8),
            )
        )
    assert len(ids) == 1


def test_a_store_takes_over_the_id_of_a_catalog_that_was_there(at, bucket):
    assert open_bucket(at(bucket), lambda _: "ab" * 16) == "ab" * 16


def test_a_store_that_is_not_there_is_not_found(at, bucket):
    with pytest.raises(NotFound, match="no store at"):
        open_bucket(at(f"{bucket}/a"), None)


def test_a_place_with_other_things_is_refused_and_left_alone(at, bucket, s3):
    s3.client().put_object(Bucket=bucket, Key="a/photos/1.jpg", Body=b"")
    with pytest.raises(Invalid, match=r"photos/1\.jpg"):
        open_bucket(at(f"{bucket}/a"), same)
    assert s3.client().list_objects_v2(Bucket=bucket)["KeyCount"] == 1


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", Corrupt),
        (b"<html>", Corrupt),
        (b'{"format": "other", "version": 1}', Corrupt),
        (b'{"format": "dvmount-store", "version": 99, "id": "a"}', Unavailable),
    ],
)
def test_a_place_that_is_no_store_of_this_format_is_refused(at, bucket, s3, content, error):
    s3.client().put_object(Bucket=bucket, Key="format", Body=content)
    with pytest.raises(error):
        open_bucket(at(bucket), same)


def test_a_missing_bucket_is_not_found_and_the_command_that_makes_it_named(at, s3):
    blobs = at("no-such-bucket/a")
    for ask in (
        lambda: open_bucket(blobs, same),
        lambda: blobs.read("packs/a", 0, 1),
        lambda: blobs.size("packs/a"),
        lambda: blobs.load("packs/a"),
        lambda: list(blobs.list("packs/")),
        lambda: blobs.write("journal/a", b""),
    ):
        with pytest.raises(NotFound, match="no bucket 'no-such-bucket'") as caught:
            ask()
        assert caught.value.fix == f"make it: aws s3 mb s3://no-such-bucket --endpoint-url {s3.endpoint}"


def test_a_closed_store_says_so(at, bucket):
    blobs = at(bucket)
    blobs.close()
    blobs.close()
    with pytest.raises(Unavailable, match="closed"):
        blobs.load("format")


@pytest.fixture(scope="module")
def strict_server(s3):
    """A server that checks credentials."""
    with moto(INITIAL_NO_AUTH_ACTION_COUNT="1") as server:
        server.client().create_bucket(Bucket="guarded")
        yield server


def test_wrong_credentials_are_denied_with_the_remedy(at, strict_server, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAWRONG")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", SECRET)
    assert_denied(at("guarded", strict_server.endpoint), "AWS_ACCESS_KEY_ID")


def test_without_credentials_access_is_denied_with_the_remedy(at, bucket, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert_denied(at(bucket), "AWS_ACCESS_KEY_ID")


def test_a_profile_that_does_not_exist_is_denied_with_the_remedy(at, bucket, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(Denied) as caught:
        at(bucket)
    assert "AWS_PROFILE" in caught.value.fix


def assert_denied(blobs: S3Blobs, fix: str) -> None:
    for ask in (
        lambda: open_bucket(blobs, same),
        lambda: blobs.write("journal/a", b""),
        lambda: blobs.read("packs/a", 0, 1),
    ):
        with pytest.raises(Denied) as caught:
            ask()
        assert fix in caught.value.fix
        assert SECRET not in text_of(caught.value)


def text_of(error: StoreError) -> str:
    """Everything that could be shown of an error and its causes."""
    texts, cause = [], error
    while cause is not None:
        texts += [str(cause), repr(cause.args), getattr(cause, "fix", "")]
        cause = cause.__cause__
    return "\n".join(texts)


@pytest.mark.parametrize(
    ("code", "status", "error", "fix"),
    [
        ("ExpiredToken", 400, Denied, "renew"),
        ("AccessDenied", 403, Denied, "allow them"),
        ("RequestTimeTooSkewed", 403, Denied, "clock"),
        ("PermanentRedirect", 301, Invalid, "&region="),
        ("SlowDown", 503, Unavailable, "try again"),
        ("InternalError", 500, Unavailable, "try again"),
        ("", 404, Unavailable, "try again"),
    ],
)
def test_every_refusal_of_a_server_has_its_remedy(at, bucket, monkeypatch, code, status, error, fix):
    blobs = at(bucket)
    answer = {"Error": {"Code": code, "Message": SECRET}, "ResponseMetadata": {"HTTPStatusCode": status}}

    def refuse(**_kwargs):
        raise boto3.client("s3").exceptions.ClientError(answer, "GetObject")

    monkeypatch.setattr(blobs._client, "get_object", refuse)
    with pytest.raises(error) as caught:
        blobs.read("packs/a", 0, 1)
    assert fix in caught.value.fix
    assert SECRET not in caught.value.message + caught.value.fix
