"""``put file``: where things go, and all or nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jupyter_dvmount.cli import sources
from tests.integration.cli.command import Dvmount


@pytest.fixture
def repo(dvmount: Dvmount) -> str:
    dvmount("create", "repo", "images")
    tree = Path("photos/may")
    tree.mkdir(parents=True)
    Path("photos/a.txt").write_bytes(b"alpha\n")
    Path("photos/may/b.txt").write_bytes(b"beta\n")
    return "images"


def content(dvmount: Dvmount, place: str) -> bytes:
    result = dvmount.run("get", "file", place)
    assert result.exit_code == 0, result.stderr
    return result.stdout_bytes


@pytest.mark.parametrize(
    ("target", "options", "path"),
    [
        ("images@master", ["-f", "photos/a.txt"], "/a.txt"),
        ("images", ["-f", "photos/a.txt"], "/a.txt"),
        ("images@master:/", ["-f", "photos/a.txt"], "/a.txt"),
        ("images@master:/x/", ["-f", "photos/a.txt"], "/x/a.txt"),
        ("images@master:/x", ["-f", "photos/a.txt"], "/x"),
        ("images@master:x/y", ["-f", "photos/a.txt"], "/x/y"),
        ("dvm://images@master/x/", ["-f", "photos/a.txt"], "/x/a.txt"),
        ("images@master", ["-r", "-f", "photos"], "/photos/a.txt"),
        ("images@master", ["-r", "-f", "photos/"], "/photos/a.txt"),
        ("images@master:/", ["-r", "-f", "photos"], "/a.txt"),
        ("images@master:/2026", ["-r", "-f", "photos"], "/2026/a.txt"),
        ("images@master:/2026/", ["-r", "-f", "photos"], "/2026/a.txt"),
        ("images@master:/2026", ["-r", "-f", "photos", "-f", "photos/may/b.txt"], "/2026/photos/a.txt"),
        ("images@master:/2026", ["-f", "photos/may/b.txt", "-f", "photos/a.txt"], "/2026/a.txt"),
    ],
)
def test_sources_go_where_they_are_put(
    dvmount: Dvmount, repo: str, target: str, options: list[str], path: str
) -> None:
    dvmount("put", "file", target, *options)
    assert content(dvmount, f"images@master:{path}") == b"alpha\n"


def test_a_directory_inside_itself_is_put_from_where_one_stands(
    dvmount: Dvmount, repo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("photos")
    dvmount("put", "file", "images", "-r", "-f", ".")
    assert dvmount.paths("images:/photos") == ["/photos/a.txt", "/photos/may/"]


def test_put_prints_the_commit_it_made(dvmount: Dvmount, repo: str) -> None:
    commit = dvmount("put", "file", "images", "-f", "photos/a.txt", "-m", "why").strip()
    found = dvmount.json("inspect", "commit", "images@master")
    assert (found["id"], found["message"], found["files"]) == (commit, "why", 1)


def test_any_bytes_come_back_as_they_were(dvmount: Dvmount, repo: str) -> None:
    data = os.urandom(3_000_000)
    Path("data.bin").write_bytes(data)
    dvmount("put", "file", "images", "-f", "data.bin")
    dvmount("put", "file", "images:/stdin", stdin=data)
    dvmount("put", "file", "images:/empty", "-f", "-", stdin=b"")
    assert content(dvmount, "images:/data.bin") == data
    assert content(dvmount, "images:/stdin") == data
    assert content(dvmount, "images:/empty") == b""


def test_append_adds_to_files_that_are_there(dvmount: Dvmount, repo: str) -> None:
    for _ in range(2):
        dvmount("put", "file", "images:/log", "-a", stdin=b"line\n")
        dvmount("put", "file", "images", "-a", "-r", "-f", "photos")
    assert content(dvmount, "images:/log") == b"line\nline\n"
    assert content(dvmount, "images:/photos/may/b.txt") == b"beta\nbeta\n"
    dvmount("put", "file", "images", "-r", "-f", "photos")
    assert content(dvmount, "images:/photos/may/b.txt") == b"beta\n"


def test_links_are_followed_and_a_pipe_can_be_put_alone(dvmount: Dvmount, repo: str) -> None:
    Path("photos/link").symlink_to("a.txt")
    Path("photos/june").symlink_to("may")
    dvmount("put", "file", "images", "-r", "-f", "photos")
    assert content(dvmount, "images:/photos/link") == b"alpha\n"
    assert content(dvmount, "images:/photos/june/b.txt") == b"beta\n"
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(b"piped"))
    writer.start()
    dvmount("put", "file", "images:/piped", "-f", "pipe")
    writer.join()
    assert content(dvmount, "images:/piped") == b"piped"


def test_a_tree_as_deep_as_a_path_may_be_comes_in_and_out(dvmount: Dvmount, repo: str) -> None:
    depth = 1500
    top = Path("deep").absolute()
    try:
        for place in (top, *(Path("d") for _ in range(depth))):
            place.mkdir()
            os.chdir(place)
        Path("file").write_bytes(b"bottom")
        os.chdir(top.parent)
        dvmount("put", "file", "images:/", "-r", "-f", "deep")
        assert content(dvmount, f"images:{'/d' * depth}/file") == b"bottom"
        dvmount("get", "file", "images", "-r", "-o", "out")
        assert Path("out", "d/" * depth, "file").read_bytes() == b"bottom"
    finally:
        subprocess.run(["rm", "-rf", top, top.parent / "out"], check=True)  # deeper than pytest can remove


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda: Path("photos/loop").symlink_to(".."), "link to a directory above"),
        (lambda: Path("photos/may/loop").symlink_to("../../photos"), "link to a directory above"),
        (lambda: Path("photos/dangling").symlink_to("nowhere"), "photos/dangling: no such file"),
        (lambda: os.mkfifo("photos/pipe"), "neither a file nor a directory"),
        (lambda: Path(os.fsdecode(b"photos/\xff")).touch(), "not UTF-8"),
        (lambda: Path("photos/new\nline").touch(), "control character"),
    ],
)
def test_what_cannot_be_put_is_named_and_nothing_is_put(
    dvmount: Dvmount, repo: str, spoil: object, what: str
) -> None:
    spoil()  # type: ignore[operator]
    assert what in dvmount.error("put", "file", "images", "-r", "-f", "photos")
    assert dvmount.commits() == []


def test_a_socket_is_refused(dvmount: Dvmount, repo: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("photos/socket")
        assert "neither" in dvmount.error("put", "file", "images", "-r", "-f", "photos")


@pytest.mark.parametrize("change", ["grow", "replace", "vanish", "appear"])
def test_files_that_change_while_they_are_read_are_not_committed(
    dvmount: Dvmount, repo: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interfere() -> None:
        if change == "grow":
            with Path("photos/a.txt").open("ab") as file:
                file.write(b"more")
        elif change == "replace":
            Path("other").write_bytes(b"omega\n")
            Path("other").rename("photos/a.txt")
        elif change == "vanish":
            Path("photos/a.txt").unlink()
        else:
            Path("photos/z.txt").touch()

    verify = sources.LocalSource.verify

    def verify_later(self: sources.LocalSource) -> None:
        interfere()
        verify(self)

    monkeypatch.setattr(sources.LocalSource, "verify", verify_later)
    assert "changed while photos was being read" in dvmount.error(
        "put", "file", "images", "-r", "-f", "photos"
    )
    assert dvmount.commits() == []


def test_a_file_that_vanishes_before_it_is_read_is_named(
    dvmount: Dvmount, repo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = sources.LocalSource.write

    def write_later(self: sources.LocalSource, *args: object, **kwargs: object) -> None:
        walk = self._walk
        monkeypatch.setattr(self, "_walk", lambda: [entry for entry in walk() if not _unlink(entry.path)])
        write(self, *args, **kwargs)  # type: ignore[arg-type]

    def _unlink(path: str) -> None:
        Path(path).unlink()

    monkeypatch.setattr(sources.LocalSource, "write", write_later)
    assert "photos/a.txt" in dvmount.error("put", "file", "images", "-r", "-f", "photos")
    assert dvmount.commits() == []


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["images", "-f", "photos"], "add -r"),
        (["images", "-f", "nosuch"], "nosuch: no such file"),
        (["images"], "no name for what is read from standard input"),
        (["images:/d/"], "no name"),
        (
            ["images:/x", "-f", "photos/a.txt", "-f", "./photos/a.txt"],
            "two of the sources would become /x/a.txt",
        ),
        (["images:/../x", "-f", "photos/a.txt"], "'..'"),
        (["images@a b:/x", "-f", "photos/a.txt"], "illegal reference"),
        (["images@master^:/x", "-f", "photos/a.txt"], "master^"),
        (["nope:/x", "-f", "photos/a.txt"], "no repo 'nope'"),
        (["images:/x", "-f", "ftp://example.org/x"], "only http"),
        (["images", "-r", "-f", ""], "write . for the working directory"),
        (["images", "-f", "https://me:secret@[x/y"], "cannot be parsed"),
        (["images:/x", "-f", "https://[x/y"], "cannot be parsed"),
        (["images", "-f", f"http://{'a' * 64}.example/x"], "no host can have this name"),
        (
            ["images", "-f", "https://me:secret@example.org/x"],
            "get https://example.org/x: names and passwords",
        ),
        (["images@", "-f", "photos/a.txt"], "no reference after '@'"),
    ],
)
def test_a_put_that_cannot_work_says_why_and_changes_nothing(
    dvmount: Dvmount, repo: str, options: list[str], what: str
) -> None:
    assert what in dvmount.error("put", "file", *options)
    assert dvmount.commits() == []


def test_an_empty_directory_is_nothing_to_put(dvmount: Dvmount, repo: str) -> None:
    Path("empty/below").mkdir(parents=True)
    assert "no files" in dvmount.error("put", "file", "images", "-r", "-f", "empty")


def test_a_file_cannot_take_the_place_of_a_directory_nor_be_above_a_file(dvmount: Dvmount, repo: str) -> None:
    dvmount("put", "file", "images", "-r", "-f", "photos")
    before = dvmount.commits()
    assert "it is a directory" in dvmount.error("put", "file", "images:/photos", "-f", "photos/a.txt")
    assert "/photos/a.txt is a file" in dvmount.error("put", "file", "images:/photos/a.txt/x", stdin=b"")
    assert dvmount.commits() == before


class Web(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        body = b"from the web" * 1000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: 5000 if self.path == "/broken" else None])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_url_is_fetched_under_its_own_name(dvmount: Dvmount, repo: str, web: str) -> None:
    dvmount("put", "file", "images:/web/", "-f", f"{web}/data%20set.csv?x=1")
    assert content(dvmount, "images:/web/data set.csv") == b"from the web" * 1000


def test_a_url_that_fails_or_breaks_off_puts_nothing(dvmount: Dvmount, repo: str, web: str) -> None:
    assert "404" in dvmount.error("put", "file", "images", "-f", f"{web}/missing")
    assert "ended after 5000 of 12000 bytes" in dvmount.error("put", "file", "images", "-f", f"{web}/broken")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/x"
        assert "refused" in dvmount.error("put", "file", "images", "-f", url).lower()
    assert dvmount.commits() == []
