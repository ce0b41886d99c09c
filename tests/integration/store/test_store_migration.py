"""Stores of older versions are brought up to date once and whole, and newer ones are left alone."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from jupyter_dvmount.store import Unavailable, VersionStore, open_store, rebuild_store
from jupyter_dvmount.store.embedded.catalog.schema import HEAD

GOLDEN = Path(__file__).parents[2] / "unit" / "store" / "golden" / "store-v1.tar.gz"
OPEN = "import sys; from jupyter_dvmount.store import open_store; open_store(sys.argv[1]).close()"
KILLED = """
import os, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from jupyter_dvmount.store import open_store
left = int(sys.argv[2])
@event.listens_for(Engine, "before_cursor_execute")
def boundary(*_):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), 9)
open_store(sys.argv[1]).close()
"""


@pytest.fixture
def old(tmp_path: Path) -> str:
    """The URL of a store as version 1 of the catalog left it."""
    with tarfile.open(GOLDEN) as archive:
        archive.extractall(tmp_path, filter="data")
    return (tmp_path / "store").as_uri()


def check_contents(store: VersionStore) -> None:
    assert [repo.name for repo in store.list_repos()] == ["images", "team/tables"]
    assert [project.name for project in store.list_projects()] == ["default", "team"]
    assert [commit.message for commit in store.list_commits("images", branch="master")] == ["second", "first"]
    assert store.read("images", "master").open("/pets/dog.txt").read() == b"wuff\n"
    assert store.read("images", "before").open("/large").read() == bytes(range(256)) * 2000
    assert store.read("team/tables", "master").open("/t.csv").read() == b"a,b\n1,2\n"
    assert store.inspect_branch("images", "draft").open
    assert list(store.fsck(full=True)) == []


def test_a_store_of_version_1_has_everything_after_the_upgrade(old: str) -> None:
    with open_store(old) as store:
        check_contents(store)
        store.finish_commit("images", "draft")
        assert store.read("images", "draft").open("/draft").read() == b"draft"
        store.gc(grace=0)
        with store.modify("images", "master") as writer:
            writer.put("/new", b"new")
    assert list(rebuild_store(old)) == []  # the journal tells of what was there before it
    with open_store(old) as store:
        assert store.read("images", "master").open("/new").read() == b"new"
        assert store.read("images", "before").open("/pets/cat.txt").read() == b"meow\n"


def test_many_who_open_it_at_once_upgrade_it_once(old: str) -> None:
    programs = [subprocess.Popen([sys.executable, "-c", OPEN, old], stderr=subprocess.PIPE) for _ in range(6)]
    for program in programs:
        _, errors = program.communicate(timeout=120)
        assert program.returncode == 0, errors
    with open_store(old) as store:
        check_contents(store)


def test_an_upgrade_that_is_killed_anywhere_is_made_by_the_next(old: str) -> None:
    for step in range(3, 200, 5):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, old, str(step)], check=False, capture_output=True
        )
        if done.returncode == 0:
            assert step > 20
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    with open_store(old) as store:
        check_contents(store)


def test_a_newer_catalog_is_refused_and_left_as_it_is(old: str, tmp_path: Path) -> None:
    open_store(old).close()
    catalog = tmp_path / "store" / "catalog.sqlite"
    with sqlite3.connect(catalog) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    before = catalog.read_bytes()
    with pytest.raises(Unavailable, match=f"version 9999, this program knows up to {HEAD}") as caught:
        open_store(old)
    assert "update" in caught.value.fix
    assert catalog.read_bytes() == before


def test_a_program_whose_store_is_upgraded_meanwhile_writes_nothing_more(old: str, tmp_path: Path) -> None:
    with open_store(old) as store:
        with sqlite3.connect(tmp_path / "store" / "catalog.sqlite") as database:
            database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.close()
        with pytest.raises(Unavailable, match="upgraded"):
            store.create_repo("late")


def test_opening_a_store_that_is_up_to_date_loads_no_migrations(tmp_path: Path) -> None:
    url = (tmp_path / "new").as_uri()
    open_store(url).close()
    script = f"{OPEN}; assert not [m for m in sys.modules if m.startswith('alembic')]"
    subprocess.run([sys.executable, "-c", script, url], check=True)
