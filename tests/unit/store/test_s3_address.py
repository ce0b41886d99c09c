"""URLs of stores on S3: what is understood, and what is refused without repeating a secret."""

from __future__ import annotations

import pytest

from jupyter_dvmount.store import Invalid
from jupyter_dvmount.store.embedded.blobs.s3.address import PATIENCE, TIMEOUT, Address, parse_address


def test_a_url_names_bucket_prefix_and_server():
    address = parse_address(
        "s3://data/team/a%20b?endpoint=https://host:9000/&region=eu-1&style=virtual&timeout=5"
    )
    assert address == Address(
        bucket="data",
        prefix="team/a b",
        endpoint="https://host:9000",
        region="eu-1",
        style="virtual",
        timeout=5,
    )


@pytest.mark.parametrize(
    "url",
    [
        "s3://data",
        "s3://data/a/b",
        "s3://data/a%20b?endpoint=http://127.0.0.1:9000",
        "s3://data/a?endpoint=https://h&region=r&style=path&timeout=2.5",
    ],
)
def test_an_address_gives_the_url_that_it_came_from(url):
    assert parse_address(url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:hunter2@data/a",
        "s3://hunter2@data/a",
        "s3://data/a?endpoint=https://key:hunter2@host",
        "s3://data/a?secret_access_key=hunter2",
        "s3://data/a?endpoint=http://[hunter2",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(url):
    with pytest.raises(Invalid) as caught:
        parse_address(url)
    assert "hunter2" not in caught.value.message + caught.value.fix
    assert caught.value.fix


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///a",
        "s3://Data/a",
        "s3://da/",
        "s3://data/a/../b",
        "s3://data/a//b",
        "s3://data/a%0Ab",
        "s3://data/a#b",
        "s3://data/a?endpoint=host:9000",
        "s3://data/a?endpoint=ftp://host",
        "s3://data/a?endpoint=http://host:99999",
        "s3://data/a?region=!!",
        "s3://data/a?style=subdomain",
        "s3://data/a?timeout=0",
        "s3://data/a?timeout=never",
        "s3://data/a?colour=red",
        "s3://data/a?endpoint",
    ],
)
def test_an_illegal_url_is_refused_with_what_to_write_instead(url):
    with pytest.raises(Invalid) as caught:
        parse_address(url)
    assert caught.value.fix


def test_the_time_limit_is_that_of_the_url_then_of_the_environment_then_the_default(monkeypatch):
    assert parse_address("s3://data").patience == PATIENCE
    monkeypatch.setenv(TIMEOUT, "7")
    assert parse_address("s3://data").patience == 7
    assert parse_address("s3://data?timeout=3").patience == 3
    assert parse_address("s3://data").url == "s3://data"
    monkeypatch.setenv(TIMEOUT, "soon")
    with pytest.raises(Invalid, match="soon"):
        _ = parse_address("s3://data").patience
