"""The benchmarks run and say what they measured; how long anything takes is not asserted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.benchmarks.results import OURS, Goal, Result, Row, Sample, merged, table
from tests.benchmarks.suites import SUITES

REPO = Path(__file__).parents[3]


def test_a_small_run_measures_every_target_and_names_absent_peers(tmp_path: Path) -> None:
    tools = tmp_path / "bin"  # only what the harness itself needs, so that no peer but cp is found
    tools.mkdir()
    for name in ("cp", "sh", "sync"):
        (tools / name).symlink_to(Path("/bin") / name)
    result = tmp_path / "result.json"
    options = ["--scale", "0.002", "--samples", "1", "--only", "store", "--only", "paths"]
    command = [sys.executable, "-m", "tests.benchmarks", *options, "--work", str(tmp_path / "work")]
    subprocess.run(
        [*command, "--result", str(result)], cwd=REPO, env={**os.environ, "PATH": str(tools)}, check=True
    )
    rows = msgspec.json.decode(result.read_bytes(), type=Result).rows
    ours = {row.work for row in rows if row.peer == OURS and row.samples}
    assert ours >= {goal.work for suite in ("store", "paths") for goal in SUITES[suite].GOALS}
    assert {row.note for row in rows if row.peer == "restic"} == {"absent"}
    assert all(row.samples for row in rows if row.peer == "cp")
    assert not (tmp_path / "work").exists()


def test_the_table_says_what_is_met_and_what_cannot_be_told() -> None:
    rows = [
        Row("copy", OURS, "s", [Sample(2.0), Sample(1.0), Sample(9.0)]),
        Row("copy", "slow", "s", [Sample(8.0)]),
        Row("copy", "gone", "", [], note="absent"),
    ]
    _, _, line = table(rows, [Goal("copy", 0.3, ("slow",))]).splitlines()
    assert "2 s" in line
    assert "0.25×" in line
    assert "gone: absent" in line
    assert line.endswith("| yes |")
    assert table(rows, [Goal("copy", 0.2, ("slow",))]).endswith("| **no** |")
    assert table(rows, [Goal("copy", 0.2, ("gone",))]).endswith("| — |")


def test_a_run_of_some_suites_renews_their_rows_and_keeps_the_others() -> None:
    def result(rows: list[Row], scale: float = 1.0) -> Result:
        return Result({"cpu": "one"}, {"a": "1"}, scale, {}, rows)

    old = result([Row("put", OURS, "s", [Sample(1.0)]), Row("find", OURS, "s", [Sample(2.0)])])
    new = result([Row("find", OURS, "s", [Sample(3.0)])])
    assert [(row.work, row.value) for row in merged(old, new).rows] == [("put", 1.0), ("find", 3.0)]
    with pytest.raises(ValueError, match="scale"):
        merged(old, result([], scale=0.5))
