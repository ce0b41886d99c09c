"""``dvm://``: versions read and written through fsspec."""

from __future__ import annotations

import gc
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import pytest

from jupyter_dvmount.filesystem import DvmFileSystem
from jupyter_dvmount.filesystem.entries import find_branch
from jupyter_dvmount.store import VersionStore, open_store

ROOT = "images@master"


def commits(store: VersionStore, repo: str = "images") -> int:
    return len(list(store.list_commits(repo)))


@pytest.fixture
def filled(store: VersionStore) -> VersionStore:
    with store.modify("images", "master", message="first") as writer:
        writer.put("/a.png", b"alpha")
        writer.put("/pets/cat.png", b"meow")
        writer.put("/pets/big/dog.png", bytes(range(256)) * 4000)
    return store


# paths
@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("dvm://images@master/a.png", "images@master/a.png"),
        ("dvm://images/a.png", "images@master/a.png"),
        ("images", "images@master"),
        ("dvm://project/images@dev/a/b", "project/images@dev/a/b"),
        ("dvm://images@master^/a%20b.png", "images@master^/a b.png"),
        ("images@master/a%20b.png", "images@master/a%20b.png"),
        ("dvm://", ""),
        ("/", ""),
        ("dvm://images@master/pets/", "images@master/pets"),
    ],
)
def test_paths_have_one_form(given: str, path: str) -> None:
    assert DvmFileSystem._strip_protocol(given) == path
    assert DvmFileSystem._strip_protocol(path) == path


def test_urls_are_percent_encoded(fs: DvmFileSystem) -> None:
    assert fs.unstrip_protocol("images@master/100% a.png") == "dvm://images@master/100%25%20a.png"
    fs.pipe("images@master/100%25.txt", b"x")
    assert fs.cat(fs.unstrip_protocol(fs.ls(ROOT, detail=False)[0])) == b"x"
    assert fs._parent("project/images@master") == fs._parent("images") == ""


# reading
def test_a_version_is_listed_and_described(fs: DvmFileSystem, filled: VersionStore) -> None:
    commit = filled.inspect_commit("images", "master")
    info = fs.info("dvm://images/a.png")
    assert info["name"] == "images@master/a.png"
    assert (info["type"], info["size"], info["commit"]) == ("file", 5, commit.id)
    assert info["hash"] == fs.ukey("images/a.png")
    assert info["created"] == fs.created("images/a.png") == fs.modified("images/pets") == commit.finished
    assert fs.ls(ROOT, detail=False) == ["images@master/a.png", "images@master/pets"]
    assert fs.find("images") == [
        "images@master/a.png", "images@master/pets/big/dog.png", "images@master/pets/cat.png",
    ]  # fmt: skip
    assert fs.find("images", maxdepth=1, withdirs=True) == [ROOT, "images@master/a.png", "images@master/pets"]
    assert fs.find("images/a.png") == ["images@master/a.png"]
    assert fs.find("images/nope") == []
    assert fs.glob("dvm://images@master/**/*.png") == fs.find("images")
    assert fs.du("images/pets") == 4 + 1024000
    assert fs.ls("", detail=False) == [ROOT]
    assert [each[0] for each in fs.walk("images")] == [ROOT, "images@master/pets", "images@master/pets/big"]
    assert fs.fsid == f"dvm-{filled.id}"


def test_files_are_equal_exactly_if_their_checksums_are(fs: DvmFileSystem, filled: VersionStore) -> None:
    fs.pipe({"images/x": b"alpha", "images/y": b"other"})
    assert fs.checksum("images/x") == fs.checksum("images/a.png") == fs.checksum("images@master^/a.png")
    assert fs.checksum("images/x") != fs.checksum("images/y")
    assert fs.ukey("images") != fs.ukey("images@master^")


def test_any_version_can_be_read(fs: DvmFileSystem, filled: VersionStore) -> None:
    first = filled.inspect_commit("images", "master").id
    fs.pipe("images/a.png", b"beta")
    for ref in (first, first[:8], "master^", "master~1"):
        assert fs.cat(f"images@{ref}/a.png") == b"alpha"
    assert fs.cat("images/a.png") == b"beta"


def test_slices_are_those_of_python(fs: DvmFileSystem, filled: VersionStore) -> None:
    content = bytes(range(256)) * 4000
    dog = "images/pets/big/dog.png"
    for start, end in [
        (None, None),
        (5, 9),
        (-7, None),
        (-7, -2),
        (1023999, 5_000_000),
        (9, 5),
        (5_000_000, None),
    ]:
        assert fs.cat_file(dog, start, end) == content[start:end]
    assert fs.cat_ranges([dog, dog, "images/a.png"], [0, 300_000, 1], [2, 300_004, 3]) == [
        content[:2], content[300_000:300_004], b"lp",
    ]  # fmt: skip
    failed, read = fs.cat_ranges(["images/nope", dog], 0, 1)
    assert isinstance(failed, FileNotFoundError)
    assert read == content[:1]
    with pytest.raises(FileNotFoundError):
        fs.cat_ranges(["images/nope"], 0, 1, on_error="raise")


def test_files_are_seekable(fs: DvmFileSystem, filled: VersionStore) -> None:
    with fs.open("images/pets/big/dog.png") as file:
        assert (file.size, file.seekable(), file.writable()) == (1024000, True, False)
        file.seek(-3, 2)
        assert file.read() == b"\xfd\xfe\xff"
        file.seek(513)
        assert file.read(2) == b"\x01\x02"
        assert file.info()["name"] == "images@master/pets/big/dog.png"
    with fs.open("images/a.png", "r") as text:
        assert text.read() == "alpha"


def test_a_range_costs_only_its_chunks(fs: DvmFileSystem, store: VersionStore) -> None:
    import random

    data = random.Random(1).randbytes(8 << 20)
    fs.pipe("images/big", data)
    reader = store.read("images", "master")
    loaded: list[bytes] = []
    source = reader._chunks
    original = source.data
    source.data = lambda hash_: (loaded.append(hash_), original(hash_))[1]
    fresh = reader.lookup("/big")
    buffer = bytearray(1000)
    reader.readinto(fresh, buffer, 4_000_000)
    assert bytes(buffer) == data[4_000_000:4_001_000]
    assert len(loaded) <= 2


def test_what_is_not_there_is_not_found(fs: DvmFileSystem, filled: VersionStore) -> None:
    for path in ("images/nope", "nope/a.png", "images@dev/a.png", "images/a.png/b", "images@3333333/x"):
        assert not fs.exists(path)
        for use in (fs.info, fs.ls, fs.cat_file, fs.open, fs.created, fs.rm):
            with pytest.raises(FileNotFoundError):
                use(path)
    for use in (fs.cat_file, fs.open):
        with pytest.raises(IsADirectoryError, match="list the directory"):
            use("images/pets")
    with pytest.raises(FileNotFoundError, match="no repo 'nope'"):
        fs.ls("nope")
    with pytest.raises(OSError, match="illegal path"):
        fs.info("images/../x")


def test_a_store_that_is_not_there_is_not_made_by_reading(tmp_path: Path, url: str) -> None:
    where = tmp_path / "other"
    other = fsspec.filesystem("dvm", store=where.as_uri())
    assert not other.exists("images/a.png")
    with pytest.raises(FileNotFoundError):
        other.ls("")
    assert not where.exists()
    other.mkdir("images")
    other.pipe("images/x", b"1")
    assert other.cat("images/x") == b"1"


def test_a_store_that_cannot_be_opened_is_an_error_and_not_an_absence(tmp_path: Path, url: str) -> None:
    (tmp_path / "file").write_text("")
    broken = fsspec.filesystem("dvm", store=(tmp_path / "file").as_uri())
    with pytest.raises(OSError, match="file"):
        broken.exists("images/a.png")


def test_corrupt_bytes_are_an_error(fs: DvmFileSystem, filled: VersionStore, tmp_path: Path) -> None:
    for pack in (tmp_path / "store" / "packs").rglob("*"):
        if pack.is_file() and (at := (data := bytearray(pack.read_bytes())).find(b"alpha")) >= 0:
            data[at] ^= 1
            pack.chmod(0o600)
            pack.write_bytes(bytes(data))
    with pytest.raises(OSError, match="fsck"):
        fs.cat("images/a.png")
    with fs.open("images/a.png") as file, pytest.raises(OSError, match="fsck"):
        file.read()


# writing
def test_closing_a_file_makes_a_commit(url: str, store: VersionStore) -> None:
    fs = fsspec.filesystem("dvm", message="nightly", author="cron")
    with fs.open("images/log.txt", "w") as file:
        file.write("one\n")
        assert not fs.exists("images/log.txt")
    commit = store.inspect_commit("images", "master")
    assert (commit.message, commit.author, commits(store)) == ("nightly", "cron", 1)
    with fs.open("images/log.txt", "ab") as file:
        assert file.tell() == 4
        file.write(b"two\n")
    assert fs.cat("images/log.txt") == b"one\ntwo\n"
    assert fs.cat("images@master^/log.txt") == b"one\n"
    with fs.open("images/new", "ab") as file:
        file.write(b"x")
    fs.touch("images/empty")
    assert (fs.cat("images/new"), fs.size("images/empty")) == (b"x", 0)


def test_a_file_being_written_can_seek(fs: DvmFileSystem) -> None:
    with fs.open("images/x", "wb") as file:
        file.write(b"0123456789")
        file.seek(2)
        file.write(memoryview(b"AB"))
        assert (file.tell(), file.truncate(6)) == (4, 6)
    assert fs.cat("images/x") == b"01AB45"
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        file.write(b"")


def test_an_exception_while_a_file_is_written_leaves_nothing(fs: DvmFileSystem, store: VersionStore) -> None:
    def write_half() -> None:
        with fs.open("images/x", "wb") as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    gc.collect()
    assert commits(store) == 0


def test_large_files_pass_through(fs: DvmFileSystem) -> None:
    with fs.open("images/big", "wb") as file:
        for number in range(24):
            file.write(bytes([number]) * (1 << 20))
    assert fs.size("images/big") == 24 << 20
    assert fs.cat_file("images/big", (20 << 20) - 1, (20 << 20) + 1) == b"\x13\x14"


def test_compressed_files_are_written_and_read(url: str) -> None:
    with fsspec.open("dvm://images/a.csv.gz", "wt", compression="infer") as file:
        file.write("x\n1\n")
    with fsspec.open("dvm://images/a.csv.gz", "rt", compression="infer") as file:
        assert file.read() == "x\n1\n"


def test_a_transaction_is_one_commit(fs: DvmFileSystem, store: VersionStore, tmp_path: Path) -> None:
    fs.pipe("images/old", b"old")
    local = tmp_path / "local"
    local.write_bytes(b"local")
    with fs.transaction:
        with fs.open("images/a", "wb") as file:
            file.write(b"1")
        fs.pipe({"images/b": b"2", "images/c": b"3"})
        fs.put(str(local), "images/d")
        local.write_bytes(b"changed")
        fs.mv("images/old", "images/new")
        assert fs.ls("images", detail=False) == ["images@master/old"]
    assert commits(store) == 2
    assert fs.cat(fs.find("images")) == {
        f"images@master/{name}": data
        for name, data in [("a", b"1"), ("b", b"2"), ("c", b"3"), ("d", b"local"), ("new", b"old")]
    }
    fs.pipe("images/e", b"")
    assert commits(store) == 3


def test_an_aborted_transaction_leaves_nothing(fs: DvmFileSystem, store: VersionStore) -> None:
    def fail() -> None:
        with fs.transaction:
            fs.pipe("images/a", b"1")
            with fs.open("images/b", "wb") as file:
                file.write(b"1")
            raise ZeroDivisionError

    def leave_open() -> None:
        with fs.transaction:
            fs.pipe("images/a", b"1")
            fs.open("images/b", "wb").write(b"")

    with pytest.raises(ZeroDivisionError):
        fail()
    assert commits(store) == 0
    with pytest.raises(OSError, match="still open"):
        leave_open()
    assert commits(store) == 0
    fs.pipe("images/c", b"1")
    assert fs.ls("images", detail=False) == ["images@master/c"]


def test_a_transaction_over_two_repositories_fails_whole(fs: DvmFileSystem, store: VersionStore) -> None:
    store.create_repo("tables")
    with fs.transaction:
        fs.pipe({"images/a": b"1", "tables/b": b"2", "images@dev/c": b"3"})
    assert (commits(store), commits(store, "tables")) == (2, 1)
    with pytest.raises(OSError, match="/n is a file"), fs.transaction:
        fs.pipe({"tables/x": b"1", "images/n": b"", "images/n/m": b""})
    assert (commits(store), commits(store, "tables")) == (2, 1)


def test_bulk_operations_are_one_commit(fs: DvmFileSystem, store: VersionStore, tmp_path: Path) -> None:
    tree = tmp_path / "tree" / "pets"
    tree.mkdir(parents=True)
    for name in "abc":
        (tree / name).write_text(name)
    fs.put(f"{tmp_path}/tree/", "images@master/in/", recursive=True)
    fs.copy("images/in", "images/out", recursive=True)
    fs.mv("images/in/pets", "images/pets", recursive=True)
    assert fs.find("images") == [f"images@master/{d}/{n}" for d in ("out/pets", "pets") for n in "abc"]
    fs.rm("images/out", recursive=True)
    fs.rm(["images/pets/a", "images/pets/b"])
    assert fs.find("images") == ["images@master/pets/c"]
    assert commits(store) == 5
    fs.rm("images/pets", recursive=True)
    fs.rmdir("images/pets")
    assert not fs.exists("images/pets")


def test_moving_loses_nothing(fs: DvmFileSystem, filled: VersionStore) -> None:
    fs.mv("images/a.png", "images@master/a.png")
    fs.mv("images/pets/cat.png", "images/pets")
    assert fs.cat(["images/a.png", "images/pets/cat.png"]) == {
        "images@master/a.png": b"alpha", "images@master/pets/cat.png": b"meow",
    }  # fmt: skip
    fs.mv("images/pets", "images/pets/inner/", recursive=True)
    assert sorted(fs.find("images/pets")) == [
        "images@master/pets/inner/pets/big/dog.png", "images@master/pets/inner/pets/cat.png",
    ]  # fmt: skip
    with pytest.raises(FileNotFoundError):
        fs.mv("images/nope", "images/x")
    with pytest.raises(IsADirectoryError):
        fs.mv("images/pets", "images/x")


def test_everything_can_be_deleted(fs: DvmFileSystem, filled: VersionStore) -> None:
    fs.rm("images", recursive=True)
    assert (fs.find("images"), fs.exists("images"), fs.cat("images@master^/a.png")) == ([], True, b"alpha")


def test_a_commit_is_never_written_to(fs: DvmFileSystem, filled: VersionStore) -> None:
    commit = filled.inspect_commit("images", "master").id
    for ref in (commit, commit[:6], "master^0", "master~0"):
        for write in (
            lambda p: fs.open(p, "wb"),
            lambda p: fs.pipe(p, b""),
            lambda p: fs.cp_file("images/a.png", p),
            fs.rm,
        ):
            with pytest.raises(OSError, match=r"commits never change|illegal"):
                write(f"images@{ref}/a.png")
    with pytest.raises(PermissionError, match="write to a branch"):
        fs.open(f"images@{commit}/a.png", "wb")
    assert commits(filled) == 1
    assert [branch.name for branch in filled.list_branches("images")] == ["master"]


def test_writing_where_it_cannot_be_is_refused_at_once(fs: DvmFileSystem, filled: VersionStore) -> None:
    for path, error in [
        ("images", IsADirectoryError),
        ("images/pets", IsADirectoryError),
        ("images/a.png/x/y", NotADirectoryError),
        ("nope/x", FileNotFoundError),
        ("images@a b/x", OSError),
    ]:
        for write in (
            lambda p: fs.open(p, "wb"),
            lambda p: fs.pipe(p, b""),
            lambda p: fs.cp_file("images/a.png", p),
        ):
            with pytest.raises(error):
                write(path)
    with pytest.raises(ValueError, match="mode"):
        fs.open("images/a.png", "r+b")
    with pytest.raises(IsADirectoryError, match="recursive"):
        fs.rm("images/pets")
    assert commits(filled) == 1


def test_directories_appear_with_their_files(fs: DvmFileSystem, filled: VersionStore) -> None:
    fs.makedirs("images/new/dir", exist_ok=True)
    fs.mkdir("images/new")
    assert not fs.exists("images/new")
    for taken in ("images", "images/a.png", "images/pets"):
        with pytest.raises(FileExistsError):
            fs.mkdir(taken)
        with pytest.raises(FileExistsError):
            fs.makedirs(taken)
    fs.makedirs("images/pets", exist_ok=True)
    fs.makedirs("images", exist_ok=True)
    with pytest.raises(FileExistsError):
        fs.makedirs("images/a.png", exist_ok=True)
    with pytest.raises(OSError, match="not empty"):
        fs.rmdir("images/pets")
    for make in (fs.mkdir, fs.makedirs):
        with pytest.raises(FileNotFoundError):
            make("nope/dir")
    fs.makedirs("images@dev", exist_ok=True)
    assert commits(filled) == 1


def test_writing_to_a_mistyped_repository_makes_none(url: str, store: VersionStore) -> None:
    with pytest.raises(FileNotFoundError, match="no repo 'imags'"), fsspec.open("dvm://imags/x", "wb"):
        pass
    assert [repo.name for repo in store.list_repos()] == ["images"]


def test_a_repository_is_a_directory_that_can_be_made(fs: DvmFileSystem, store: VersionStore) -> None:
    fs.mkdir("dvm://tables")
    assert store.inspect_repo("tables").branches == 0
    assert (fs.isdir("tables"), fs.ls("tables"), fs.find("tables"), fs.du("tables")) == (True, [], [], 0)
    fs.pipe("tables@dev/x", b"1")
    assert (fs.ls("tables"), fs.cat("tables@dev/x")) == ([], b"1")
    store.start_commit("tables", "other")
    assert fs.ls("tables@other") == []


# processes and threads
def test_threads_write_to_one_branch(fs: DvmFileSystem, store: VersionStore) -> None:
    def write(number: int) -> None:
        fs.pipe({f"images/{number}/a": b"x", f"images/{number}/b": b"y"})
        fsspec.filesystem("dvm").pipe(f"images/{number}/c", b"z")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(16)))
    assert len(fs.find("images")) == 48
    assert commits(store) == 32


def test_a_branch_that_another_makes_meanwhile_is_no_commit(
    fs: DvmFileSystem, store: VersionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [None]

    def late(*place: Any) -> Any:
        return answers.pop() if answers else find_branch(*place)

    fs.pipe("images/a", b"x")
    monkeypatch.setattr("jupyter_dvmount.filesystem.filesystem.find_branch", late)
    fs.pipe("images/b", b"y")
    assert (answers, fs.cat("images/b")) == ([], b"y")


def test_instances_can_be_pickled(fs: DvmFileSystem, filled: VersionStore, url: str) -> None:
    fs.ls("images")
    assert pickle.loads(pickle.dumps(fs)) is fs
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).cat('images/a.png').decode())"
    for each in (fs, fsspec.filesystem("dvm", store=url)):
        data = pickle.dumps(each)
        done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
        assert done.stdout == b"alpha\n"


def _in_child(fs: DvmFileSystem, number: int) -> bytes:
    fs.pipe(f"images/child-{number}", b"x")
    return fs.cat("images/a.png") + fsspec.filesystem("dvm").cat("images/a.png")


def test_instances_survive_a_fork(fs: DvmFileSystem, filled: VersionStore, url: str) -> None:
    fs.ls("images")
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert pool.starmap(_in_child, [(fs, n) for n in range(6)], chunksize=1) == [b"alphaalpha"] * 6
    assert len(fs.glob("images/child-*")) == 6
    with open_store(url) as fresh:
        assert list(fresh.fsck(full=True)) == []


def test_a_store_that_the_environment_names_later_is_used(
    fs: DvmFileSystem, filled: VersionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fs.exists("images/a.png")
    monkeypatch.setenv("DVMOUNT_STORE", (tmp_path / "none").as_uri())
    assert not fs.exists("images/a.png")
