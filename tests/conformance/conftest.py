"""What every place of a store has to promise: each test here runs on each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_dvmount.store import VersionStore, open_store
from tests.conformance import places
from tests.conformance.places import StorePlace

PLACES = ("sqlite+local", "postgresql+local", "sqlite+s3", "postgresql+s3")


@pytest.fixture(params=PLACES)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StorePlace]:
    """The place of the test's store, which is not made yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    get = request.getfixturevalue
    made = {
        "sqlite": lambda: places.sqlite(tmp_path),
        "postgresql": lambda: places.postgresql(get("postgres")),
        "local": lambda: places.local(tmp_path),
        "s3": lambda: places.s3(get("s3"), get("bucket"), tmp_path),
    }
    catalog, data = (made[name]() for name in request.param.split("+"))
    with catalog as (value, drop), data as (base, blobs):
        yield StorePlace(f"{base}catalog={value}", blobs, drop)


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
