"""One URL says where the data of a store are and where its catalog is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jupyter_dvmount.store import Invalid, Unavailable, open_store
from jupyter_dvmount.store.embedded.blobs.s3.address import parse_address
from jupyter_dvmount.store.embedded.place import Directory, SqliteFile, parse_place


def test_the_catalog_is_beside_the_data_by_default() -> None:
    place = parse_place("file:///data/my%20store")
    assert place.blobs == Directory(Path("/data/my store"))
    assert place.catalog == SqliteFile(Path("/data/my store/catalog.sqlite"))
    assert place.url == "file:///data/my%20store"


@pytest.mark.parametrize(
    "value", ["sqlite:///local/c.sqlite", "sqlite:////local/c.sqlite", "sqlite%3A%2F%2F%2Flocal/c.sqlite"]
)
def test_the_catalog_may_be_in_another_file(value: str) -> None:
    place = parse_place(f"file:///data/store?catalog={value}")
    assert place.catalog == SqliteFile(Path("/local/c.sqlite"))
    assert place.url == "file:///data/store?catalog=sqlite:///local/c.sqlite"
    assert parse_place(place.url) == place


@pytest.mark.parametrize(
    "query",
    [
        "catalog=",
        "catalog",
        "catalog=sqlite:///a&catalog=sqlite:///b",
        "catalogue=sqlite:///a",
        "catalog=sqlite:a",
    ],
)
def test_an_illegal_option_is_refused(query: str) -> None:
    with pytest.raises(Invalid, match="illegal"):
        parse_place(f"file:///data/store?{query}")


def test_a_store_with_its_catalog_elsewhere_works_and_is_found_again(tmp_path: Path) -> None:
    url = f"{(tmp_path / 'store').as_uri()}?catalog=sqlite://{tmp_path}/deep/other.sqlite"
    with open_store(url) as store:
        store.create_repo("images")
        with store.modify("images", "master") as writer:
            writer.put("/a", b"a")
    with open_store(store.url, create=False) as again:
        assert again.read("images", "master").open("/a").read() == b"a"
    assert not (tmp_path / "store" / "catalog.sqlite").exists()


def test_the_catalog_of_another_store_is_refused_and_both_are_named(tmp_path: Path) -> None:
    with open_store((tmp_path / "one").as_uri()) as one, open_store((tmp_path / "two").as_uri()) as two:
        pass
    with pytest.raises(Invalid, match=f"{one.id}.*{two.id}"):
        open_store(f"{two.url}?catalog=sqlite://{tmp_path}/one/catalog.sqlite")


def test_data_on_s3_have_their_catalog_in_a_file_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/home/me/data")
    place = parse_place("s3://data/team?endpoint=http://127.0.0.1:9000")
    assert place.blobs == parse_address("s3://data/team?endpoint=http://127.0.0.1:9000")
    assert isinstance(place.catalog, SqliteFile)
    assert place.catalog.path.parent == Path("/home/me/data/dvmount/catalogs")
    assert parse_place("s3://data/other?endpoint=http://127.0.0.1:9000").catalog != place.catalog
    assert parse_place(place.url) == place


@pytest.mark.parametrize("options", ["", "&region=eu-1&timeout=5"])
def test_the_catalog_of_data_on_s3_may_be_elsewhere(options: str) -> None:
    place = parse_place(f"s3://data/team?catalog=sqlite:///local/c.sqlite{options}")
    assert place.catalog == SqliteFile(Path("/local/c.sqlite"))
    assert place.blobs == parse_address(f"s3://data/team{options.replace('&', '?', 1)}")
    assert parse_place(place.url) == place


@pytest.mark.parametrize(
    "url", ["s3://data?catalog=", "s3://data?catalog=sqlite:///a&catalog=sqlite:///b", "s3://data?colour=red"]
)
def test_an_illegal_url_on_s3_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_place(url)
    assert caught.value.fix


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@example.org/store",
        "postgresql://me:secret@[x",
        "file://me:secret@[x/store",
        "file:///data/store?catalog=postgresql://me:secret@[x",
        "file:///data/store?catalog=sqlite://me:secret@[x",
    ],
)
def test_no_error_about_a_url_shows_a_password(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


def test_without_its_driver_a_catalog_in_postgresql_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("postgresql", "server"):
        monkeypatch.delitem(sys.modules, f"jupyter_dvmount.store.embedded.catalog.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Unavailable, match="needs psycopg") as caught:
        open_store(f"{tmp_path.as_uri()}/store?catalog=postgresql://me@127.0.0.1/db")
    assert caught.value.fix == "pip install 'jupyter-dvmount[postgresql]'"
    assert not (tmp_path / "store" / "format").exists()


@pytest.mark.parametrize(
    "secret", ["me:hunter2@h/db", "me@h/db?password=hunter2", "me@h/db?sslpassword=hunter2"]
)
def test_a_catalog_with_a_password_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_place(f"file:///data/store?catalog=postgresql://{secret}")
    assert "hunter2" not in f"{caught.value.message} {caught.value.fix}"
    assert "PGPASSWORD" in caught.value.fix


def test_the_options_of_a_catalog_survive_the_url_of_the_store() -> None:
    url = "file:///data?catalog=postgresql%2Bpsycopg://me@h:5433/db%3Foptions=-csearch_path%253Da%26service=x"
    place = parse_place(url)
    assert place.catalog.server.query == {"options": "-csearch_path=a", "service": "x"}
    assert parse_place(place.url) == place
