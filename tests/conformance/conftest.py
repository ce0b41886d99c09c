"""What every place of a store has to promise: each test here runs on each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_dvmount.store import VersionStore, open_store
from tests.conformance import places
from tests.conformance.places import StorePlace

PLACES = ("sqlite+local", "postgresql+local", "sqlite+s3", "postgresql+s3")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out where the mark ``places`` does not want an expensive test."""
    here = Path(__file__).parent
    unwanted = [item for item in items if here in item.path.parents and not _is_wanted(item)]
    config.hook.pytest_deselected(items=unwanted)
    items[:] = [item for item in items if item not in set(unwanted)]


def _is_wanted(item: pytest.Item) -> bool:
    mark = item.get_closest_marker("places")
    return mark is None or item.callspec.params["place"] in mark.args


@pytest.fixture(params=PLACES)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StorePlace]:
    """The place of the test's store, which is not made yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    get = request.getfixturevalue
    catalog, _, data = request.param.partition("+")
    base, open_blobs = (
        places.local(tmp_path) if data == "local" else places.s3(get("s3"), get("bucket"), tmp_path)
    )
    made = places.sqlite(tmp_path) if catalog == "sqlite" else places.postgresql(get("postgres"))
    with made as (value, drop):
        found = StorePlace(f"{base}catalog={value}", open_blobs, drop)
        yield found
        if "blobs" in vars(found):
            found.blobs.close()


@pytest.fixture
def open_here(place: StorePlace) -> Iterator[Callable[[], VersionStore]]:
    """Opens the test's store; may be called again after a close."""
    opened: list[VersionStore] = []

    def open_it() -> VersionStore:
        opened.append(open_store(place.url))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()
