"""Damaged packs: an error that names what is lost, never wrong bytes, and the rest stays readable."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jupyter_dvmount.store import Corrupt, Unavailable, VersionStore, open_store
from jupyter_dvmount.store.embedded.blobs import LocalBlobs
from jupyter_dvmount.store.embedded.packs.codec import Kind
from jupyter_dvmount.store.embedded.packs.pack import Place, read_footer

LARGE = random.Random(5).randbytes(2_000_000)
TEXT = b"compressible " * 5000


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with two commits, closed."""
    url = (tmp_path / "store").as_uri()
    with open_store(url) as store:
        store.create_repo("images")
        with store.modify("images", "master") as writer:
            writer.put("/text", TEXT)
            writer.put("/large", LARGE)
            writer.put("/d/other", b"other")
        with store.modify("images", "master") as writer:
            writer.put("/later", b"later")
    return url


def packs(tmp_path: Path, kind: Kind) -> dict[Path, list[Place]]:
    found = {}
    for path in (tmp_path / "store" / "packs").iterdir():
        its_kind, places = read_footer(LocalBlobs(tmp_path / "store"), path.name)
        if its_kind is kind:
            found[path] = list(places)
    return found


def flip(path: Path, position: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1]))


def damage_chunk_of(tmp_path: Path, store: VersionStore, path: str) -> None:
    wanted = bytes.fromhex(store.read("images", "master").lookup(path).hash)
    for pack, places in packs(tmp_path, Kind.DATA).items():
        for place in places:
            if place.hash == wanted:
                flip(pack, place.offset + place.stored // 2)
                return
    raise AssertionError


def test_a_flipped_byte_is_an_error_and_never_wrong_bytes(url: str, tmp_path: Path) -> None:
    with open_store(url) as store:
        damage_chunk_of(tmp_path, store, "/text")
        reader = store.read("images", "master")
        buffer = bytearray(b"?" * len(TEXT))
        with pytest.raises(Corrupt, match="is damaged") as caught:
            reader.readinto(reader.lookup("/text"), buffer)
        assert "fsck" in caught.value.fix
        assert buffer == b"?" * len(TEXT)
        assert reader.open("/large").read() == LARGE
        assert reader.open("/d/other").read() == b"other"


def test_a_full_check_names_every_path_that_suffers(url: str, tmp_path: Path) -> None:
    with open_store(url) as store:
        damage_chunk_of(tmp_path, store, "/text")
        assert list(store.fsck()) == []
        pack, *problems = store.fsck(full=True)
        assert "bytes have changed; 1 chunks lost" in pack.message
        ids = [commit.id for commit in store.list_commits("images")]
        assert [(p.repo, p.commit, p.path, p.code) for p in problems] == [
            ("images", id_, "/text", "corrupt") for id_ in ids
        ]


def test_lost_contents_come_back_when_they_are_put_again(url: str, tmp_path: Path) -> None:
    with open_store(url) as store:
        damage_chunk_of(tmp_path, store, "/text")
        for pack, places in packs(tmp_path, Kind.DATA).items():
            if len(places) > 5:
                flip(pack, max(places, key=lambda place: place.raw).offset)
        assert len(list(store.fsck(full=True))) == 5
        with store.modify("images", "master") as writer:
            writer.put("/again", TEXT)
            writer.put("/large", LARGE)
        reader = store.read("images", "master~2")
        assert reader.open("/text").read() == TEXT
        assert reader.open("/large").read() == LARGE
        assert list(store.fsck(full=True)) == []


def test_every_flipped_byte_of_every_pack_is_found(url: str, tmp_path: Path) -> None:
    source = random.Random(6)
    for pack in sorted((tmp_path / "store" / "packs").iterdir()):
        size = pack.stat().st_size
        for position in {0, size - 1, *(source.randrange(size) for _ in range(6))}:
            flip(pack, position)
            with open_store(url) as store:
                assert list(store.fsck(full=True)), (pack, position)
            flip(pack, position)
    with open_store(url) as store:
        assert list(store.fsck(full=True)) == []


def test_a_chunk_lost_from_a_large_file_is_counted(url: str, tmp_path: Path) -> None:
    ((pack, places),) = [item for item in packs(tmp_path, Kind.DATA).items() if len(item[1]) > 5]
    largest = max(places, key=lambda place: place.raw)
    flip(pack, largest.offset)
    with open_store(url) as store:
        messages = {p.path: p.message for p in store.fsck(full=True) if p.path}
        assert set(messages) == {"/large"}
        assert messages["/large"].startswith("1 of its ")
        with pytest.raises(Corrupt):
            store.read("images", "master").open("/large").read()


@pytest.mark.parametrize("full", [False, True])
def test_a_missing_pack_is_found_by_every_check(url: str, tmp_path: Path, full: bool) -> None:
    for pack in packs(tmp_path, Kind.DATA):
        pack.unlink()
    with open_store(url) as store:
        paths = {problem.path for problem in store.fsck(full=full) if problem.path}
        assert paths == {"/text", "/large", "/d/other", "/later"}
        reader = store.read("images", "master")
        assert [file.name for file in reader.list()] == ["d", "large", "later", "text"]
        with pytest.raises(Corrupt, match="is missing"):
            reader.open("/later").read()


@pytest.mark.parametrize("keep", [0, 4, 100, 100_000])
def test_a_pack_that_is_cut_off_is_found_by_a_quick_check(url: str, tmp_path: Path, keep: int) -> None:
    ((pack, _),) = [item for item in packs(tmp_path, Kind.DATA).items() if len(item[1]) > 5]
    os.truncate(pack, keep)
    with open_store(url) as store:
        assert {problem.path for problem in store.fsck() if problem.path} >= {"/text", "/large", "/d/other"}
        with pytest.raises(Corrupt):
            store.read("images", "master").open("/large").read()


def test_a_damaged_tree_is_told_of_and_not_guessed(url: str, tmp_path: Path) -> None:
    for pack, places in packs(tmp_path, Kind.META).items():
        for place in places:
            flip(pack, place.offset + place.stored // 2)
    with open_store(url) as store:
        reader = store.read("images", "master")
        for act in (lambda: reader.lookup("/text"), lambda: list(reader.list()), reader.usage):
            with pytest.raises(Corrupt):
                act()
        lost = [problem for problem in store.fsck(full=True) if problem.path]
        assert {problem.path for problem in lost} == {"/"}
        assert "list of files" in lost[0].message


def test_a_catalog_that_points_at_the_wrong_place_yields_no_wrong_bytes(url: str) -> None:
    with open_store(url) as store:
        with store._catalog.write() as connection:  # type: ignore[attr-defined]
            connection.exec_driver_sql('UPDATE chunks SET "offset" = "offset" + 1')
        reader = store.read("images", "master")
        with pytest.raises(Corrupt):
            reader.open("/text")
        assert any("not what the catalog says" in problem.message for problem in store.fsck())


def test_a_branch_that_points_at_nothing_is_found(url: str) -> None:
    with open_store(url) as store:
        with store._catalog.write() as connection:  # type: ignore[attr-defined]
            connection.exec_driver_sql("DELETE FROM commits")
        (problem,) = store.fsck()
        assert "branch master points at" in problem.message
        assert problem.repo == "images"


def test_a_store_that_goes_away_under_an_open_one_is_unavailable_without_a_traceback(
    url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with open_store(url) as store:
        (tmp_path / "store").rename(tmp_path / "away")
        with ThreadPoolExecutor(1) as thread, pytest.raises(Unavailable):  # it has no connection yet
            thread.submit(lambda: list(store.read("images", "master").list())).result()
    assert "Traceback" not in capfd.readouterr().err
