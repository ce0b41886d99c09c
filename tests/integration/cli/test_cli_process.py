"""The command as a process: exit status, signals, pipes, disks and users."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests import ordinary_user
from tests.integration.cli.command import COMMAND, Dvmount, Start

MIB = 1 << 20


def test_exit_status_is_0_1_or_2_and_errors_are_one_line(dvmount: Dvmount, images: str, start: Start) -> None:
    for args, status in (
        (["list", "repo"], 0),
        (["inspect", "repo", "nope"], 1),
        (["list", "nonsense"], 2),
        (["list", "repo", "--nope"], 2),
        (["inspect", "repo"], 2),
    ):
        process = start(*args)
        out, err = process.communicate(timeout=30)
        assert process.returncode == status, args
        assert b"Traceback" not in err
        assert (len(err.splitlines()) == 1) == (status == 1)
        assert bool(out) == (status == 0)


def test_a_traceback_is_shown_only_for_debugging(dvmount: Dvmount, images: str, start: Start) -> None:
    process = start("--debug", "inspect", "repo", "nope")
    assert b"Traceback" in process.communicate(timeout=30)[1]
    assert process.returncode == 1


def test_help_comes_at_once() -> None:
    def seconds() -> float:
        begin = time.perf_counter()
        subprocess.run([*COMMAND, "--help"], check=True, capture_output=True)
        return time.perf_counter() - begin

    assert min(seconds() for _ in range(5)) < 0.3


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import sys, jupyter_dvmount.cli.verbs; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    heavy = {
        "sqlalchemy",
        "rich",
        "tornado",
        "jupyter_server",
        "boto3",
        "wandb",
        "urllib.request",
        "asyncio",
    }
    assert heavy.isdisjoint(loaded)


def test_a_list_cut_off_by_head_ends_quietly(dvmount: Dvmount, images: str, start: Start) -> None:
    for number in range(3):
        Path("many", str(number)).mkdir(parents=True)
        for name in range(1500):
            Path("many", str(number), f"{name:0200d}").touch()
    dvmount("put", "file", "images", "-r", "-f", "many")
    listing = start("list", "file", "images:/many/0")
    assert listing.stdout
    assert listing.stdout.readline()
    listing.stdout.close()
    assert listing.stderr
    assert listing.stderr.read() == b""
    assert listing.wait(timeout=30) == 128 + signal.SIGPIPE


def test_a_full_disk_behind_standard_output_is_an_error(dvmount: Dvmount, images: str, start: Start) -> None:
    with Path("/dev/full").open("wb") as full:
        for args in (["list", "file", "images"], ["get", "file", "images:/a.txt"]):
            process = start(*args, stdout=full)
            assert process.communicate(timeout=30)[1] == b"error: No space left on device\n"
            assert process.returncode == 1


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_put_that_is_interrupted_puts_nothing(
    dvmount: Dvmount, images: str, start: Start, number: signal.Signals, status: int
) -> None:
    before = dvmount.commits()
    putting = start("put", "file", "images:/big")
    assert putting.stdin
    putting.stdin.write(
        os.urandom(8 * MIB)
    )  # returns when the command has begun to read: a pipe holds 64 KiB
    putting.stdin.flush()
    putting.send_signal(number)
    out, err = putting.communicate(timeout=30)
    assert putting.returncode == status
    assert out == b""
    assert b"Traceback" not in err
    assert err == (b"error: interrupted\n" if number == signal.SIGINT else b"")
    assert dvmount.commits() == before
    assert dvmount.json("fsck") == []


def test_closed_standard_streams_do_no_harm(dvmount: Dvmount, images: str) -> None:
    for redirect, command, status in (
        (">&-", "list repo", 0),
        (">&-", "get file images:/a.txt", 0),
        ("<&-", "put file images:/empty", 0),
        ("2>&-", "inspect repo nope", 1),
        ("<&- >&- 2>&-", "put file images:/b -f tree/a.txt", 0),
    ):
        line = f"{' '.join(COMMAND)} {command} {redirect}"
        ran = subprocess.run(["sh", "-c", line], capture_output=True, check=False)
        assert (ran.returncode, ran.stderr) == (status, b""), line
    assert dvmount("get", "file", "images:/b") == "alpha\n"
    assert dvmount.json("fsck", "--full") == []


def test_a_get_that_is_interrupted_leaves_no_file(dvmount: Dvmount, images: str, start: Start) -> None:
    dvmount("put", "file", "images:/big", stdin=os.urandom(8 * MIB))
    before = sorted(Path().rglob("*"))
    getting = start("get", "file", "images:/big")
    assert getting.stdout
    assert getting.stdout.read(1)
    getting.send_signal(signal.SIGINT)
    assert getting.wait(timeout=30) == 130
    assert sorted(Path().rglob("*")) == before


def test_a_killed_put_leaves_the_store_as_it_was(dvmount: Dvmount, images: str, start: Start) -> None:
    before = dvmount.commits()
    putting = start("put", "file", "images:/big")
    assert putting.stdin
    putting.stdin.write(os.urandom(40 * MIB))
    putting.stdin.flush()
    putting.kill()
    putting.wait(timeout=30)
    assert dvmount.commits() == before
    assert dvmount.json("fsck", "--full") == []
    dvmount("put", "file", "images:/big", stdin=b"small")


def test_a_terminal_gets_a_table_and_a_progress_bar(dvmount: Dvmount, images: str) -> None:
    def on_terminal(*args: str) -> str:
        ours, theirs = pty.openpty()
        with subprocess.Popen([*COMMAND, *args], stdin=theirs, stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            shown = bytearray()
            with suppress(OSError):  # EIO: nobody has the other end open any more
                while data := os.read(ours, 65536):
                    shown += data
            os.close(ours)
        assert process.returncode == 0, shown.decode()
        return shown.decode()

    Path("big").write_bytes(os.urandom(20 * MIB))
    assert "NAME" in on_terminal("list", "repo")
    assert "putting" in on_terminal("put", "file", "images", "-f", "big")


def test_unicode_is_shown_as_well_as_the_locale_can(dvmount: Dvmount, images: str, start: Start) -> None:
    dvmount("put", "file", "images:/größe.txt", stdin=b"x")
    for encoding, shown in (("utf-8", "größe".encode()), ("ascii", b"gr\\xf6\\xdfe")):
        process = start("list", "file", "images", env={**os.environ, "PYTHONIOENCODING": encoding})
        assert shown in process.communicate(timeout=30)[0]
        assert process.returncode == 0


@pytest.fixture
def shared_place() -> Iterator[Path]:
    """A directory that every user can reach, unlike pytest's own."""
    place = Path(tempfile.mkdtemp(prefix="dvmount-cli-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@ordinary_user.needs_root
def test_files_and_stores_that_a_user_may_not_read_or_write_are_named(shared_place: Path) -> None:
    home = shared_place / "home"
    (home / "data").mkdir(parents=True)
    (home / "data" / "a.txt").write_text("a")
    (home / "data" / "secret").write_text("b")
    (home / "data" / "secret").chmod(0)
    (home / "sealed").mkdir(mode=0o555)
    env = {"DVMOUNT_STORE": (home / "store").as_uri()}

    def run(*args: str, **more: str) -> subprocess.CompletedProcess[str]:
        return ordinary_user.run([*COMMAND, *args], home=home, fuse=False, env={**env, **more})

    assert run("create", "repo", "images").returncode == 0
    refused = run("put", "file", "images", "-r", "-f", "data")
    assert refused.returncode == 1
    assert "cannot read data/secret" in refused.stderr
    assert json.loads(run("list", "commit", "images", "-o", "json").stdout) == []
    sealed = run("create", "repo", "images", DVMOUNT_STORE=(home / "sealed" / "store").as_uri())
    assert sealed.returncode == 1
    assert sealed.stderr.startswith("error: ")
    assert len(sealed.stderr.splitlines()) == 1
    unmountable = run("mount", "images", DVMOUNT_ROOT=str(home / "sealed" / "root"))
    assert unmountable.returncode == 1
    assert len(unmountable.stderr.splitlines()) == 1


@ordinary_user.needs_root
def test_without_dev_fuse_a_mount_is_a_copy_and_says_why(shared_place: Path) -> None:
    home = shared_place / "home"
    env = {"DVMOUNT_STORE": (home / "store").as_uri()}

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        result = ordinary_user.run([*COMMAND, *args], home=home, fuse=False, env=env)
        assert result.returncode == 0, result.stderr
        return result

    run("create", "repo", "images")
    (home / "a.txt").write_text("alpha")
    run("put", "file", "images", "-f", "a.txt")
    mounted = run("mount", "images")
    assert (Path(mounted.stdout.strip()) / "a.txt").read_text() == "alpha"
    assert "/dev/fuse" in mounted.stderr
    assert json.loads(run("list", "mount", "-o", "json").stdout)[0]["mode"] == "checkout"
    run("unmount", "--all")


@ordinary_user.needs_root
def test_a_disk_that_fills_up_during_a_put_is_named_and_nothing_is_put(shared_place: Path) -> None:
    store, big = shared_place / "store", shared_place / "big"
    big.write_bytes(os.urandom(40 * MIB))
    store.mkdir()
    command = " ".join(COMMAND)
    script = f"""
        mount -t tmpfs -o size=16m none {store}
        export DVMOUNT_STORE={store.as_uri()}
        {command} create repo images && echo small | {command} put file images:/small >/dev/null
        {command} put file images -f {big}; echo "status $?"
        {command} list file images; {command} get file images:/small; {command} fsck --full && echo sound
    """
    ran = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False
    )
    (line,) = ran.stderr.splitlines()
    assert line.startswith("error: ")
    assert "full" in line or "space" in line
    assert ran.stdout.splitlines() == ["status 1", "/small\tfile\t6", "small", "sound"]


def test_a_store_of_a_newer_format_is_refused_and_left_alone(
    dvmount: Dvmount, images: str, places: Path
) -> None:
    marker = places / "store" / "format"
    kept = marker.read_text()
    marker.write_text(kept.replace(kept.strip().split()[-1], "999"))
    changed = marker.read_text()
    assert changed != kept
    assert dvmount.error("list", "repo")
    assert dvmount.error("put", "file", "images:/x", stdin=b"x")
    assert marker.read_text() == changed
    marker.write_text(kept)
    assert dvmount.paths("images") == ["/a.txt", "/pets/"]
