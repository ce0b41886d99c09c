"""Data and catalog belong together: those of two stores are never used as one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from jupyter_dvmount.store import Invalid, Unavailable, VersionStore, open_store, rebuild_store
from jupyter_dvmount.store.embedded.blobs.base import PACKS
from jupyter_dvmount.store.embedded.catalog.schema import alembic_version
from tests.conformance.places import StorePlace


@pytest.fixture
def elsewhere(place: StorePlace) -> str:
    """Another place for data, with the same catalog."""
    return place.url.replace("/store?", "/other?")


def put(store: VersionStore) -> None:
    with store.modify("images", "master") as writer:
        writer.put("/a", b"a")


def test_a_catalog_in_use_is_not_taken_for_new_data(store: VersionStore, elsewhere: str) -> None:
    put(store)
    with pytest.raises(Invalid, match=f"belongs to the store {store.id}"):
        open_store(elsewhere)
    with pytest.raises(Invalid, match=store.id):  # and nothing was made there by the first try
        open_store(elsewhere)
    assert list(store.fsck(full=True)) == []


def test_the_data_of_another_store_are_refused_and_both_are_named(
    store: VersionStore, place: StorePlace, elsewhere: str
) -> None:
    put(store)
    place.drop_catalog()
    with open_store(elsewhere) as other:
        pass
    with pytest.raises(Invalid) as caught:
        open_store(place.url)
    assert store.id in str(caught.value)
    assert other.id in str(caught.value)


def test_the_catalog_of_another_store_is_not_rebuilt_over(
    store: VersionStore, place: StorePlace, elsewhere: str
) -> None:
    put(store)
    store.close()
    place.drop_catalog()
    with open_store(elsewhere) as other:
        other.create_repo("precious")
    with pytest.raises(Invalid, match=other.id):
        list(rebuild_store(place.url))
    with open_store(elsewhere) as again:
        assert [repo.name for repo in again.list_repos()] == ["precious"]


def test_a_newer_catalog_is_not_rebuilt_over(store: VersionStore, place: StorePlace) -> None:
    with store._catalog.write() as connection:
        connection.execute(alembic_version.update().values(version_num="9999"))
    with pytest.raises(Unavailable, match="9999"):
        list(rebuild_store(place.url))


def test_a_store_made_and_used_by_many_at_once_is_one_store(place: StorePlace) -> None:
    def use(number: int) -> str:
        with open_store(place.url) as store:
            store.create_repo(f"r{number}")
            return store.id

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(use, range(4)))) == 1
    with open_store(place.url) as store:
        assert len(list(store.list_repos())) == 4
    assert not list(place.blobs.list(PACKS))
