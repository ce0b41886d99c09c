"""A catalog on PostgreSQL: its server goes away at every bad moment, and nothing is lost or left unclear."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from jupyter_dvmount.store import (
    Conflict,
    Corrupt,
    Denied,
    Invalid,
    StoreError,
    Unavailable,
    VersionStore,
    open_store,
    rebuild_store,
)
from jupyter_dvmount.store.embedded.catalog import Catalog
from jupyter_dvmount.store.embedded.catalog.schema import now
from jupyter_dvmount.store.embedded.commits import feed
from jupyter_dvmount.store.embedded.packs import pack
from jupyter_dvmount.store.embedded.packs.codec import Kind
from jupyter_dvmount.store.embedded.packs.pack import Place, SealedPack
from tests.services.postgres import PostgresServer, need_postgres, running_postgres


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that waits for the disk, since it is killed."""
    need_postgres()
    with running_postgres(is_safe=True) as running:
        yield running


@pytest.fixture
def schema(server: PostgresServer) -> Iterator[str]:
    name = server.new_schema()
    yield name
    server.remove_schema(name)


@pytest.fixture
def url(server: PostgresServer, schema: str, tmp_path: Path) -> str:
    return f"{(tmp_path / 'store').as_uri()}?catalog={server.url(schema=schema)}"


@pytest.fixture
def store(url: str) -> Iterator[VersionStore]:
    with open_store(url) as opened:
        opened.create_repo("images")
        with opened.modify("images", "master") as writer:
            writer.put("/old", b"old")
        yield opened


def heads(url: str) -> list[str]:
    with open_store(url) as store:
        assert list(store.fsck(full=True)) == []
        return [commit.id for commit in store.list_commits("images", branch="master")]


def test_a_password_in_the_url_is_refused_and_not_repeated(server: PostgresServer, tmp_path: Path) -> None:
    url = f"{(tmp_path / 'store').as_uri()}?catalog=postgresql://tester:hunter2@127.0.0.1:{server.port}/postgres"
    with pytest.raises(Invalid) as caught:
        open_store(url)
    assert "hunter2" not in f"{caught.value} {caught.value.fix}"
    assert "PGPASSWORD" in caught.value.fix


def test_a_server_that_is_not_there_is_unavailable_at_once(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="cannot be reached"):
        open_store(f"{(tmp_path / 'store').as_uri()}?catalog=postgresql://tester@127.0.0.1:9/postgres")
    assert time.monotonic() - begun < 15
    assert not (tmp_path / "store" / "format").exists()


def test_a_wrong_password_is_denied(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS guarded")
        connection.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    with pytest.raises(Denied) as caught:
        open_store(f"{(tmp_path / 'store').as_uri()}?catalog={server.url(user='guarded')}")
    assert "hunter2" not in f"{caught.value} {caught.value.fix}"


def test_a_catalog_and_data_of_two_stores_are_refused_together(
    store: VersionStore, server: PostgresServer, tmp_path: Path
) -> None:
    with open_store((tmp_path / "other").as_uri()) as other:
        mixed = store.url.replace("/store?", "/other?")
        with pytest.raises(StoreError) as caught:
            open_store(mixed)
    assert store.id in str(caught.value)
    assert other.id in str(caught.value)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGQUIT, signal.SIGINT])
def test_a_put_whose_server_ends_is_an_error_and_can_be_done_again(
    store: VersionStore, server: PostgresServer, how: signal.Signals
) -> None:
    before = heads(store.url)

    def put(in_between: Callable[[], None] = lambda: None) -> str:
        with store.modify("images", "master") as writer:
            writer.put("/new", b"new" * 100_000)
            in_between()
        return writer.commit.id

    try:
        with pytest.raises(Unavailable):
            put(lambda: server.stop(how))
    finally:
        server.start()
    assert heads(store.url) == before
    assert put() == heads(store.url)[0]


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_commit_whose_connection_dies_as_it_ends_is_told_rightly(
    store: VersionStore, server: PostgresServer, is_committed: bool
) -> None:
    """The connection is cut before or after the server has got the COMMIT: the answer is what happened."""
    before = heads(store.url)
    waiting = [1]

    def break_it(connection: Connection) -> None:
        if waiting:
            waiting.clear()
            driver = connection.connection.driver_connection
            if is_committed:
                driver.execute("COMMIT")
            with server.connect() as other:
                other.execute("SELECT pg_terminate_backend(%s)", (driver.info.backend_pid,))

    def put() -> str:
        with store.modify("images", "master") as writer:
            writer.put("/new", b"new")
            event.listen(store._catalog._engine, "commit", break_it)
        return writer.commit.id

    if is_committed:
        assert put() == heads(store.url)[0]
    else:
        with pytest.raises(Unavailable, match="nothing was changed"):
            put()
        assert heads(store.url) == before
    assert waiting == []


def test_a_server_that_freezes_ends_a_commit_in_bounded_time(
    store: VersionStore, server: PostgresServer
) -> None:
    before = heads(store.url)

    def put() -> None:
        with store.modify("images", "master") as writer:
            writer.put("/new", b"new")
            server.freeze()

    begun = time.monotonic()
    try:
        with pytest.raises(Unavailable):
            put()
        assert time.monotonic() - begun < 60
    finally:
        server.thaw()
    assert heads(store.url) == before


WRITER = """
import sys
from jupyter_dvmount.store import open_store
store, name = open_store(sys.argv[1]), sys.argv[2]
for number in range(10):
    with store.modify("images", "master") as writer:
        writer.put(f"/{name}/{number}", b"%d" % number)
    with store.modify("images", name) as writer:
        writer.put(f"/{number}", b"%d" % number)
"""


def test_processes_that_write_at_once_lose_nothing(store: VersionStore) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, store.url, name]) for name in ("a", "b", "c")]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
    reader = store.read("images", "master")
    assert {file.path for file in reader.walk() if file.type == "file"} == {
        "/old",
        *(f"/{name}/{number}" for name in "abc" for number in range(10)),
    }
    assert len(heads(store.url)) == 31
    seen = [change.seq for change in store.changes(0, limit=1000)]
    assert seen == sorted(set(seen))


def test_a_catalog_that_is_lost_is_made_anew(
    store: VersionStore, server: PostgresServer, schema: str
) -> None:
    before, url = heads(store.url), store.url
    store.close()
    with server.connect() as connection:
        connection.execute(f"DROP SCHEMA {schema} CASCADE")
        connection.execute(f"CREATE SCHEMA {schema}")
    with pytest.raises(Corrupt):
        open_store(url)
    assert list(rebuild_store(url)) == []
    assert heads(url) == before
    with open_store(url) as again, again.modify("images", "master") as writer:
        writer.put("/later", b"later")
    assert heads(url)[1:] == before


def test_garbage_is_collected_and_one_at_a_time(store: VersionStore, url: str) -> None:
    store.create_repo("other")
    with store.modify("other", "master") as writer:
        writer.put("/gone", bytes(range(256)) * 4000)
    store.delete_repo("other", force=True)
    with open_store(url) as second, second._catalog.alone("gc"), pytest.raises(Conflict, match="is running"):
        store.gc()
    assert store.gc(grace=0).removed > 0
    assert heads(url)


def test_writers_of_two_repositories_do_not_wait_for_each_other(store: VersionStore, url: str) -> None:
    with open_store(url) as other, ThreadPoolExecutor(2) as threads:

        def write(repo: int | None) -> None:
            with other._catalog.write(repo=repo):
                pass

        with store._catalog.write(repo=1):
            write(2)
            same, whole = threads.submit(write, 1), threads.submit(write, None)
            time.sleep(0.3)
            assert not same.done()
            assert not whole.done()
        same.result(timeout=10)
        whole.result(timeout=10)


def test_changes_are_numbered_in_the_order_in_which_they_become_visible(
    store: VersionStore, url: str
) -> None:
    """Else one who asks for what is after the last number would miss what is committed later."""
    with open_store(url) as other, ThreadPoolExecutor(1) as threads:

        def tell_second() -> None:
            with other._catalog.write(repo=2) as connection:
                feed.tell(connection, "repo", "updated", "second")

        last = store.changes()[-1].seq
        with store._catalog.write(repo=1) as connection:
            feed.tell(connection, "repo", "updated", "first")
            second = threads.submit(tell_second)
            time.sleep(0.3)
            assert other.changes(last) == []
        second.result(timeout=10)
        assert [change.repo for change in other.changes(last)] == ["first", "second"]


def test_a_statement_that_takes_long_on_a_server_that_lives_is_waited_for(
    store: VersionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_dvmount.store.embedded.catalog.server._SILENCE", 0.2)
    with store._catalog.read() as connection:
        assert connection.exec_driver_sql("SELECT 7 FROM pg_sleep(1)").scalar_one() == 7


def test_chunks_that_two_writers_enter_at_once_in_different_orders_are_no_deadlock(
    store: VersionStore, url: str
) -> None:
    def packs(order: int) -> list[SealedPack]:
        places = [Place(bytes([number]) * 32, number, 1, 1, 0) for number in range(200)][::order]
        return [SealedPack(f"{order}-{n}", Kind.DATA, 9, places[n::2]) for n in range(2)]

    with open_store(url) as other, ThreadPoolExecutor(2) as threads:

        def enter(catalog: Catalog, order: int) -> None:
            with catalog.write_packs("cannot enter packs") as connection:
                catalog.insert_packs(connection, packs(order))

        done = [threads.submit(enter, s._catalog, order) for s, order in ((store, 1), (other, -1))]
        assert [one.result(timeout=20) for one in done] == [None, None]
    assert len(store._catalog.known(bytes([number]) * 32 for number in range(200))) == 200


def test_packs_that_fill_up_at_the_same_time_share_the_lease_of_their_writer(
    store: VersionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "TARGET", 100_000)

    def slowly() -> int:
        time.sleep(0.05)
        return now()

    monkeypatch.setattr("jupyter_dvmount.store.embedded.writing.lease.now", slowly)
    with store.modify("images", "master") as writer:
        for number in range(6):
            writer.put(f"/{number}", os.urandom(150_000))
    assert store.read("images", "master").usage() == (7, 900_003)
