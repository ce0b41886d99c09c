"""``mount``, ``unmount``, ``list mount`` and ``doctor``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.fuse import need_fuse
from tests.integration.cli.command import Dvmount


@pytest.fixture(params=["fuse", "checkout"])
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the two ways to mount."""
    from jupyter_dvmount.mounting.support import MODE_VARIABLE

    if request.param == "fuse":
        need_fuse()
    monkeypatch.setenv(MODE_VARIABLE, request.param)
    return str(request.param)


def test_mount_prints_the_path_and_the_files_are_there(
    dvmount: Dvmount, images: str, places: Path, mode: str
) -> None:
    result = dvmount.run("mount", "images@master")
    assert result.exit_code == 0, result.stderr
    path = Path(result.stdout.strip())
    assert path == places / "root" / "images"
    assert (path / "pets" / "cat.txt").read_bytes() == b"meow\n"
    assert "dvmount unmount images" in result.stderr
    assert ("copied out" in result.stderr) == (mode == "checkout")
    (mounted,) = dvmount.json("list", "mount")
    assert (mounted["name"], mounted["branch"], mounted["mode"]) == ("images", "master", mode)
    assert mounted["commit"] == dvmount.commits()[0]
    assert path.resolve().name == f"images@{mounted['commit']}"
    assert dvmount("unmount", "images") == "images\n"
    assert not os.path.lexists(path)
    assert dvmount("list", "mount") == ""


def test_two_commits_are_mounted_side_by_side_and_the_list_says_what_has_moved(
    dvmount: Dvmount, images: str
) -> None:
    now = Path(dvmount("mount", "images").strip())
    dvmount("put", "file", "images:/b.txt", stdin=b"beta")
    before = Path(dvmount("mount", "images@master^", "before").strip())
    Path("here").mkdir()
    newest = Path(dvmount("mount", "images@master", "./here/newest").strip())
    assert newest == Path("here/newest").absolute()
    assert not (now / "b.txt").exists()
    assert now.resolve() == before.resolve()
    assert (newest / "b.txt").read_bytes() == b"beta"
    assert "branch has moved" in dvmount("list", "mount")
    gone = dvmount("unmount", "before", "./here/newest")
    assert len(gone.splitlines()) == 2
    dvmount("unmount", "--all")
    assert dvmount.json("list", "mount") == []


def test_a_mount_can_be_taken_away_though_its_store_is_gone(
    dvmount: Dvmount, images: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dvmount("mount", "images")
    (places / "store").rename(places / "moved")
    try:
        assert dvmount("unmount", "images") == "images\n"
    finally:
        (places / "moved").rename(places / "store")


def test_who_still_reads_is_named(dvmount: Dvmount, images: str) -> None:
    path = Path(dvmount("mount", "images").strip())
    with (path / "a.txt").open() as file:
        result = dvmount.run("unmount", "images")
        assert result.exit_code == 0
        assert f"({os.getpid()})" in result.stderr
        assert file.read() == "alpha\n", "what is open can be read to its end"


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["mount", "nope"], "no repo 'nope'"),
        (["mount", "images@nope"], "nope"),
        (["mount", "images@master~9"], "master~9"),
        (["mount", "images", "a b"], "illegal"),
        (["mount", "images", ".."], "illegal"),
        (["mount", "images@master:/pets"], "names a path"),
        (["mount", "../images"], "illegal"),
        (["unmount", "nope"], "nope"),
        (["unmount", "./nope"], "nope"),
    ],
)
def test_a_mount_that_cannot_work_says_why_and_changes_nothing(
    dvmount: Dvmount, images: str, options: list[str], what: str
) -> None:
    assert what in dvmount.error(*options)
    assert dvmount.json("list", "mount") == []


def test_a_name_that_is_taken_is_not_taken_again(dvmount: Dvmount, images: str) -> None:
    dvmount("put", "file", "images:/b.txt", stdin=b"beta")
    path = Path(dvmount("mount", "images").strip())
    target = path.resolve()
    assert dvmount.error("mount", "images@master^")
    assert path.resolve() == target
    assert dvmount("mount", "images").strip() == str(path), "the same again is no error"


def test_what_is_in_the_way_is_left_alone(dvmount: Dvmount, images: str, places: Path) -> None:
    mine = places / "root" / "images" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert str(mine.parent) in dvmount.error("mount", "images")
    Path("file").write_text("mine")
    assert "file" in dvmount.error("mount", "images", "./file")
    assert mine.read_text() == Path("file").read_text() == "mine"
    assert dvmount.json("list", "mount") == []


def test_an_ambiguous_or_unknown_id_is_refused(dvmount: Dvmount, images: str) -> None:
    assert dvmount.error("mount", "images@0000")
    (commit,) = dvmount.commits()
    assert dvmount("mount", f"images@{commit[:8]}", "by-id")


def test_an_open_commit_cannot_be_mounted(dvmount: Dvmount, images: str) -> None:
    commit = dvmount("start", "commit", "images").strip()
    assert commit in dvmount.error("mount", f"images@{commit}")
    assert dvmount.json("list", "mount") == []


def test_unmount_wants_names_or_all(dvmount: Dvmount, images: str) -> None:
    assert dvmount.run("unmount").exit_code == 2
    assert dvmount.run("unmount", "images", "--all").exit_code == 2


def test_doctor_says_what_works_here(dvmount: Dvmount, images: str, mode: str) -> None:
    checks = {check["id"]: check for check in json.loads(dvmount.run("doctor", "-o", "json").stdout)}
    assert checks["store"]["status"] == "ok"
    assert checks["mount"]["status"] == ("ok" if mode == "fuse" else "limited")
    assert (checks["mount"]["detail"]) in dvmount.run("doctor", "-o", "table").stdout


def test_doctor_fails_with_the_remedy_where_the_store_cannot_be_used(dvmount: Dvmount) -> None:
    Path("file").touch()
    result = dvmount.run("--store", Path("file/store").absolute().as_uri(), "doctor", "-o", "json")
    store = next(check for check in json.loads(result.stdout) if check["id"] == "store")
    assert store["status"] == "missing"
    assert store["fix"]
    assert result.exit_code == 1
