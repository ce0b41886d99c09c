"""``get``, ``list``, ``inspect``, ``diff``, ``copy`` and ``delete file``."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import pytest

from tests.integration.cli.command import Dvmount, Start


def test_a_file_comes_out_on_standard_output_or_where_it_is_told(dvmount: Dvmount, images: str) -> None:
    assert dvmount("get", "file", "images@master:/a.txt") == "alpha\n"
    assert dvmount("get", "file", "images@master:/a.txt", "-o", "-") == "alpha\n"
    dvmount("get", "file", "images:/a.txt", "-o", "copy.txt")
    dvmount("get", "file", "images:/pets/cat.txt", "-o", ".")
    assert Path("copy.txt").read_text() == "alpha\n"
    assert Path("cat.txt").read_text() == "meow\n"


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--offset", "2"], slice(2, None)),
        (["--length", "3"], slice(0, 3)),
        (["--offset", "1500000", "--length", "1200000"], slice(1_500_000, 2_700_000)),
        (["--offset", "2999999", "--length", "10"], slice(2_999_999, None)),
        (["--offset", "5000000"], slice(0, 0)),
        (["--length", "0"], slice(0, 0)),
    ],
)
def test_a_part_of_a_file_comes_out(dvmount: Dvmount, images: str, options: list[str], part: slice) -> None:
    data = bytes(range(250)) * 12_000
    dvmount("put", "file", "images:/big", stdin=data)
    assert dvmount.run("get", "file", "images:/big", *options).stdout_bytes == data[part]
    dvmount("get", "file", "images:/big", *options, "-o", "part")
    assert Path("part").read_bytes() == data[part]


def test_a_directory_comes_out_whole(dvmount: Dvmount, images: str) -> None:
    dvmount("get", "file", "images:/pets", "-r", "-o", ".")
    dvmount("get", "file", "images", "-r", "-o", "new")
    dvmount("get", "file", "images", "-r", "-o", ".")
    assert Path("pets/cat.txt").read_text() == "meow\n"
    for place in ("new", "images"):
        assert sorted(str(p.relative_to(place)) for p in Path(place).rglob("*")) == [
            "a.txt",
            "pets",
            "pets/cat.txt",
        ]


def test_nothing_that_is_there_is_lost(dvmount: Dvmount, images: str) -> None:
    Path("a.txt").write_text("mine")
    Path("pets").mkdir()
    assert "--overwrite" in dvmount.error("get", "file", "images:/a.txt", "-o", "a.txt")
    assert "--overwrite" in dvmount.error("get", "file", "images:/a.txt", "-o", ".")
    assert "is there already" in dvmount.error("get", "file", "images:/pets", "-r", "-o", ".", "--overwrite")
    Path("images").symlink_to("nowhere")
    assert "is there already" in dvmount.error("get", "file", "images", "-r", "-o", ".")
    assert Path("a.txt").read_text() == "mine"
    dvmount("get", "file", "images:/a.txt", "-o", "a.txt", "--overwrite")
    assert Path("a.txt").read_text() == "alpha\n"


def test_what_is_no_file_is_never_replaced(dvmount: Dvmount, images: str) -> None:
    os.mkfifo("pipe")
    assert "is not a file" in dvmount.error("get", "file", "images:/a.txt", "-o", "pipe", "--overwrite")
    assert Path("pipe").is_fifo()


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["images:/nope"], "images@master:/nope does not exist"),
        (["images:/pets"], "is a directory"),
        (["images:/pets", "-r"], "-o DEST"),
        (["images:/pets", "-r", "-o", "x", "--offset", "0"], "name a file"),
        (["images:/../a.txt"], "'..'"),
        (["images:/a.txt", "-o", "no/such"], "there is no directory no"),
        (["images:/a.txt", "-o", "no/"], "there is no directory no"),
        (["images@nope:/a.txt"], "nope"),
        (["nope:/a.txt"], "no repo 'nope'"),
        (["images@master~9:/a.txt"], "master~9"),
    ],
)
def test_a_get_that_cannot_work_says_why_and_writes_nothing(
    dvmount: Dvmount, images: str, options: list[str], what: str
) -> None:
    before = sorted(Path().rglob("*"))
    assert what in dvmount.error("get", "file", *options)
    assert sorted(Path().rglob("*")) == before


def test_a_disk_that_fills_up_leaves_nothing_of_the_file(dvmount: Dvmount, images: str, start: Start) -> None:
    dvmount("put", "file", "images:/dir/big", stdin=bytes(3_000_000))

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    before = sorted(Path().rglob("*"))
    for options in (["images:/dir/big", "-o", "big"], ["images:/dir", "-r", "-o", "dir"]):
        failed = start("get", "file", *options, preexec_fn=small_disk)
        out, err = failed.communicate(timeout=60)
        assert (failed.returncode, out) == (1, b"")
        assert err.startswith(b"error: cannot write ")
        assert sorted(Path().rglob("*")) == before


def test_corrupt_bytes_never_come_out(dvmount: Dvmount, images: str, places: Path) -> None:
    for pack in (places / "store" / "packs").rglob("*"):
        if pack.is_file():
            data = bytearray(pack.read_bytes())
            if (at := data.find(b"alpha")) >= 0:
                data[at] ^= 1
                pack.chmod(0o600)
                pack.write_bytes(bytes(data))
    assert dvmount.error("get", "file", "images:/a.txt", "-o", "out")
    assert dvmount.error("get", "file", "images", "-r", "-o", "out")
    assert not Path("out").exists()
    assert [path for path in Path().iterdir() if path.name.endswith(".part")] == []
    checked = dvmount.run("fsck", "--full", "-o", "json")
    assert checked.exit_code == 1
    assert "/a.txt" in {problem["path"] for problem in json.loads(checked.stdout)}
    assert dvmount("get", "file", "images:/pets/cat.txt") == "meow\n", "the others can be read"


def test_a_sound_store_passes_its_check(dvmount: Dvmount, images: str) -> None:
    assert dvmount("fsck") == ""
    assert dvmount.json("fsck", "--full") == []


def test_files_are_listed_a_directory_at_a_time(dvmount: Dvmount, images: str) -> None:
    assert dvmount("list", "file", "images@master") == "/a.txt\tfile\t6\n/pets/\tdir\t\n"
    assert dvmount.paths("images:/pets") == ["/pets/cat.txt"]
    assert dvmount.paths("images:/pets/cat.txt") == ["/pets/cat.txt"]
    (commit,) = dvmount.commits()
    first = dvmount.json("list", "file", f"images@{commit}")[0]
    assert (first["path"], first["type"], first["size"], first["commit"]) == ("/a.txt", "file", 6, commit)
    assert "/nope" in dvmount.error("list", "file", "images:/nope")


def test_a_directory_is_inspected_with_the_size_of_what_is_in_it(dvmount: Dvmount, images: str) -> None:
    assert dvmount.json("inspect", "file", "images:/")["size"] == 11
    assert dvmount.json("inspect", "file", "images:/a.txt")["size"] == 6
    assert "does not exist" in dvmount.error("inspect", "file", "images:/nope")


def test_diff_shows_files_added_deleted_and_changed(dvmount: Dvmount, images: str) -> None:
    assert dvmount("diff", "file", "images") == "A\t/a.txt\nA\t/pets/cat.txt\n"
    dvmount("start", "commit", "images")
    dvmount("put", "file", "images:/a.txt", stdin=b"changed")
    dvmount("put", "file", "images:/new", stdin=b"new")
    dvmount("delete", "file", "images:/pets")
    dvmount("finish", "commit", "images")
    assert dvmount("diff", "file", "images") == "M\t/a.txt\nA\t/new\nD\t/pets/cat.txt\n"
    assert (
        dvmount("diff", "file", "images@master^", "images@master") == "M\t/a.txt\nD\t/new\nA\t/pets/cat.txt\n"
    )
    assert dvmount("diff", "file", "images:/pets", "images@master^") == "D\t/pets/cat.txt\n"
    changes = {entry["path"]: entry["change"] for entry in dvmount.json("diff", "file", "images")}
    assert changes == {"/a.txt": "changed", "/new": "added", "/pets/cat.txt": "deleted"}
    assert "two different paths" in dvmount.error("diff", "file", "images:/pets", "images:/a.txt")


def test_copies_keep_their_path_or_go_where_they_are_told(dvmount: Dvmount, images: str) -> None:
    dvmount("create", "repo", "archive")
    dvmount("copy", "file", "images:/pets", "archive@master")
    dvmount("copy", "file", "images:/a.txt", "archive:/b.txt")
    dvmount("copy", "file", "images:/a.txt", "archive:/old/")
    assert dvmount.paths("archive") == ["/b.txt", "/old/", "/pets/"]
    assert dvmount("get", "file", "archive:/old/a.txt") == "alpha\n"
    assert dvmount("get", "file", "archive:/pets/cat.txt") == "meow\n"
    assert dvmount.error("copy", "file", "images:/nope", "archive:/x")
    assert dvmount.paths("archive") == ["/b.txt", "/old/", "/pets/"]


def test_a_delete_needs_a_path_that_is_there(dvmount: Dvmount, images: str) -> None:
    before = dvmount.commits()
    assert "names no path" in dvmount.error("delete", "file", "images@master")
    assert "/nope" in dvmount.error("delete", "file", "images:/nope")
    assert dvmount.commits() == before
    dvmount("delete", "file", "images:/a.txt")
    assert dvmount.paths("images") == ["/pets/"]
    assert dvmount.paths("images@master^") == ["/a.txt", "/pets/"]


def test_a_glob_lists_what_matches(dvmount: Dvmount, images: str) -> None:
    assert dvmount("glob", "file", "images@master:/*") == "/a.txt\tfile\t6\n/pets/\tdir\t\n"
    listed = json.loads(dvmount("glob", "file", "images:/**/*.txt", "-o", "json"))
    assert [file["path"] for file in listed] == ["/a.txt", "/pets/cat.txt"]
    assert dvmount("glob", "file", "images@master:/") == "/\tdir\t\n"
    assert dvmount("glob", "file", "images@master:/nothing*") == ""


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("images@master", "names no glob"),
        ("images@master:", "the glob is empty"),
        ("dvm://images@master/*", "names no glob"),
        ("images@master:/[a", "'[' is not closed at character 2; close it with ], or write \\["),
        ("images@nope:/*", "no"),
    ],
)
def test_a_glob_that_is_none_is_refused(dvmount: Dvmount, images: str, pattern: str, what: str) -> None:
    assert what in dvmount.error("glob", "file", pattern)
