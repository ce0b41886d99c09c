"""The store's directory: made whole, refused when it is something else, never touched when refused."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jupyter_dvmount.store import Corrupt, Invalid, NotFound, Unavailable, open_store
from jupyter_dvmount.store.embedded.machine import filesystems


def snapshot(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def test_a_store_keeps_its_id(tmp_path: Path) -> None:
    url = (tmp_path / "deep" / "store").as_uri()
    with open_store(url) as store:
        first = store.id
    with open_store(url, create=False) as store:
        assert store.id == first
        assert store.url == url
        assert store.engine == "embedded"
    assert first.isalnum()


def test_a_store_that_is_not_there_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no store at"):
        open_store((tmp_path / "none").as_uri(), create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_newer_format_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    open_store(tmp_path.as_uri()).close()
    marker = tmp_path / "format"
    marker.write_text(json.dumps({"format": "dvmount-store", "version": 2, "id": "x", "more": 1}))
    before = snapshot(tmp_path)
    with pytest.raises(Unavailable, match="has format 2, this program knows up to 1") as caught:
        open_store(tmp_path.as_uri())
    assert "update" in caught.value.fix
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "content", [b"", b"\0\0", b"{}", b'{"format": "other", "version": 1, "id": "x"}', b"[1"]
)
def test_a_damaged_marker_is_refused(tmp_path: Path, content: bytes) -> None:
    open_store(tmp_path.as_uri()).close()
    (tmp_path / "format").write_bytes(content)
    with pytest.raises(Corrupt):
        open_store(tmp_path.as_uri())


def test_a_catalog_that_is_no_database_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path.as_uri()).close()
    (tmp_path / "catalog.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(Corrupt, match="catalog"):
        open_store(tmp_path.as_uri())


def test_a_missing_catalog_is_not_made_anew(tmp_path: Path) -> None:
    open_store(tmp_path.as_uri()).close()
    (tmp_path / "catalog.sqlite").unlink()
    with pytest.raises(Corrupt, match=r"catalog\.sqlite is missing"):
        open_store(tmp_path.as_uri())
    assert not (tmp_path / "catalog.sqlite").exists()


def test_a_directory_with_other_files_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(Invalid, match=r"is not a store and holds 'thesis\.tex'"):
        open_store(tmp_path.as_uri())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Invalid, match="not a directory"):
        open_store((tmp_path / "file").as_uri())


@pytest.mark.parametrize(
    "url", ["file://host/path", "file:relative", "file:", "file:///%00", "file:///a#b", "file:///a?b"]
)
def test_an_illegal_url_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="illegal store URL"):
        open_store(url)


def test_names_with_spaces_and_other_letters_work(tmp_path: Path) -> None:
    url = (tmp_path / "my störe #1").as_uri()
    with open_store(url) as store:
        store.create_repo("r")
    assert (tmp_path / "my störe #1" / "format").exists()


def test_a_store_made_by_many_at_once_is_one_store(tmp_path: Path) -> None:
    def make(_: int) -> str:
        with open_store((tmp_path / "store").as_uri()) as store:
            return store.id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(8)))) == 1


def test_a_store_whose_making_was_interrupted_is_made_again(tmp_path: Path) -> None:
    open_store(tmp_path.as_uri()).close()
    (tmp_path / "format").unlink()
    with open_store(tmp_path.as_uri()) as store:
        store.create_repo("r")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_directory_that_may_not_be_written_is_denied(tmp_path: Path) -> None:
    open_store((tmp_path / "store").as_uri()).close()
    for directory in (tmp_path, *tmp_path.parents[:3]):
        directory.chmod(0o755)
    before = snapshot(tmp_path)
    script = (
        "import os, sys\n"
        "from jupyter_dvmount.store import Denied\n"
        "from jupyter_dvmount.store.embedded import open_embedded\n"
        "os.setuid(65534)\n"
        "for url in sys.argv[1:]:\n"
        "    try: open_embedded(url)\n"
        "    except Denied as error: print(error.message, '|', error.fix)\n"
    )
    urls = [(tmp_path / name).as_uri() for name in ("store", "new")]
    done = subprocess.run([sys.executable, "-c", script, *urls], capture_output=True, text=True, check=True)
    existing, new = done.stdout.splitlines()
    assert "is not writable" in existing
    assert "Permission denied" in new
    assert snapshot(tmp_path) == before


def test_unfinished_packs_of_dead_writers_are_removed_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    open_store(tmp_path.as_uri()).close()
    dead, living, young = (tmp_path / "tmp" / name for name in ("dead", "living", "young"))
    for path in (dead, living, young):
        path.write_bytes(b"half a pack")
    for path in (dead, living):
        os.utime(path, (1, 1))
    with living.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        open_store(tmp_path.as_uri()).close()
        assert sorted(path.name for path in (tmp_path / "tmp").iterdir()) == ["living", "young"]


def test_network_file_systems_get_a_rollback_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = f"1 1 0:1 / {tmp_path} rw shared:1 - nfs4 host:/home rw"
    (tmp_path / "mountinfo").write_text(f"0 0 0:0 / / rw - ext4 /dev/x rw\n{line}\n")
    assert filesystems.file_system(Path("/proc")) == "proc"
    monkeypatch.setattr(filesystems, "MOUNTINFO", tmp_path / "mountinfo")
    assert filesystems.file_system(tmp_path / "store") == "nfs4"
    assert filesystems.file_system(Path("/")) == "ext4"
    with open_store((tmp_path / "store").as_uri()) as store:
        store.create_repo("r")
        with store.modify("r", "master") as writer:
            writer.put("/a", b"a")
        assert store.read("r", "master").open("/a").read() == b"a"
        assert not list((tmp_path / "store").glob("catalog.sqlite-*"))
