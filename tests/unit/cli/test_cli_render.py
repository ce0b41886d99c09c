"""Lists and records for people, for pipes and for programs."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from jupyter_dvmount.cli.render import show_list, show_record
from jupyter_dvmount.store import FileInfo, NotFound, Repo

MOMENT = datetime(2026, 5, 1, 12, 0, tzinfo=timezone.utc)
REPOS = [
    Repo(name="images", description="[red]as\tit is\n", created=MOMENT, size=1_500_000, branches=2),
    Repo(name="表", created=MOMENT),
]
Captured = pytest.CaptureFixture[str]


def test_a_pipe_gets_exact_values_separated_by_tabs(capsys: Captured) -> None:
    show_list(REPOS, Repo, None)
    assert capsys.readouterr().out.splitlines() == [
        "images\t1500000\t2\t2026-05-01T12:00:00Z\t[red]as\\tit is\\n",
        "表\t0\t0\t2026-05-01T12:00:00Z\t",
    ]


def test_people_get_aligned_columns_with_sizes_they_can_read(capsys: Captured) -> None:
    show_list(REPOS, Repo, "table")
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.startswith("NAME       SIZE  BRANCHES  CREATED")
    assert first.startswith("images   1.5 MB         2  ")
    assert second.startswith("表      0 bytes         0  "), "a wide character takes two columns"


def test_json_has_the_records_themselves(capsys: Captured) -> None:
    show_list(REPOS, Repo, "json")
    first, second = json.loads(capsys.readouterr().out)
    assert first["description"] == "[red]as\tit is\n"
    assert first["created"] == "2026-05-01T12:00:00Z"
    assert second == {"name": "表", "type": "user", "description": "", "created": "2026-05-01T12:00:00Z",
                      "size": 0, "branches": 0}  # fmt: skip


@pytest.mark.parametrize("output", ["json", "table", None])
def test_a_list_that_fails_at_once_prints_nothing(output: str | None, capsys: Captured) -> None:
    def fail() -> Iterator[Repo]:
        raise NotFound("no store")
        yield

    with pytest.raises(NotFound):
        show_list(fail(), Repo, output)  # type: ignore[arg-type]
    assert capsys.readouterr().out == ""


def test_an_empty_list_is_an_empty_array_and_no_header(capsys: Captured) -> None:
    show_list([], Repo, "json")
    assert json.loads(capsys.readouterr().out) == []
    show_list([], Repo, "table")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("output", ["json", "table", None])
def test_a_list_of_any_length_takes_bounded_memory(
    output: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sink:
        written = 0

        def write(self, text: str) -> int:
            self.written += len(text)
            return len(text)

        def isatty(self) -> bool:
            return False

        def flush(self) -> None:
            pass

    sink = Sink()
    monkeypatch.setattr("sys.stdout", sink)
    show_list([], FileInfo, "table")  # imports are not what is measured
    show_list([FileInfo(path="/x", type="file")], FileInfo, "table")
    files = (FileInfo(path=f"/{number:050d}", type="file", size=number) for number in range(30_000))
    tracemalloc.start()
    show_list(files, FileInfo, output)  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sink.written > 1_500_000
    assert peak < 3_000_000, "the records alone would be 10 MB"


def test_a_record_is_shown_a_field_a_line_or_as_an_object(capsys: Captured) -> None:
    show_record(REPOS[0], "table")
    assert "size:        1.5 MB" in capsys.readouterr().out
    show_record(REPOS[0], None)
    assert "size:        1500000" in capsys.readouterr().out
    show_record(REPOS[0], "json")
    assert json.loads(capsys.readouterr().out)["size"] == 1_500_000
