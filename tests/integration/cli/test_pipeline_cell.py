"""``%%pipeline`` in a real kernel: the cell, and nothing but the cell, is the pipeline's code."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import jupyter_dvmount as dvm
from tests.integration.cli.command import Dvmount

CELL = """%%pipeline upper --input texts=images@master:/* --set datum_tries=1
import os
from pathlib import Path

for path in Path("/pfs/texts").rglob("*.txt"):
    text = path.read_text().upper()
    (Path("/pfs/out") / path.name).write_text(text)
print("has seen", os.environ["texts"])
"""


@pytest.fixture(autouse=True)
def plain(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVMOUNT_TIER", "plain")
    monkeypatch.setenv("DVMOUNT_MODE", "checkout")


def run(*cells: str, allow_errors: bool = False) -> list[str]:
    """What each cell shows, run in one kernel after ``%load_ext``."""
    sources = ["%load_ext jupyter_dvmount", *cells]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in sources])
    NotebookClient(notebook, timeout=60, kernel_name="python3", allow_errors=allow_errors).execute()
    return [
        "".join(
            output.get("text") or "\n".join(output.get("traceback", ())) or str(output.get("data", ""))
            for output in cell.outputs
        )
        for cell in notebook.cells[1:]
    ]


def test_a_cell_runs_as_a_pipeline_and_running_it_again_changes_nothing(images: str) -> None:
    wait = "job = dvm.pipeline('upper').jobs()[0].wait(60); print(job.state, job.info.reason, job.logs())"
    made, ended, again, changed = run(
        CELL, f"import jupyter_dvmount as dvm; {wait}", CELL, CELL.replace("upper()", "upper() + '!'")
    )
    assert made.startswith("pipeline upper, version 1, job upper@")
    assert ended.startswith("success")
    assert "has seen " in ended
    assert again.startswith("pipeline upper, version 1"), "the same cell is the same pipeline"
    assert changed.startswith("pipeline upper, version 2")
    job = dvm.pipeline("upper").jobs()[0].wait(60)
    with dvm.open_store() as store:
        assert store.read("upper", job.id).open("/cat.txt").read() == b"MEOW\n!"


def test_explain_changes_nothing(images: str, dvmount: Dvmount) -> None:
    (shown,) = run(CELL.replace("\n", " --explain\n", 1))
    assert "run  texts:/pets  new data /pets" in shown.splitlines()
    assert shown.splitlines()[-1] == "upper: 2 run"
    assert dvmount.json("list", "pipeline") == []


def test_a_cell_is_tried_on_one_datum(images: str, dvmount: Dvmount) -> None:
    (shown,) = run(CELL.replace("\n", " --try /pets\n", 1))
    assert "has seen /" in shown
    assert "success: 1 files in upper-" in shown
    (written,) = Path().glob("upper-*/cat.txt")
    assert written.read_text() == "MEOW\n"
    assert dvmount.json("list", "pipeline") == []


WRONG = [
    ("p --input nope:/*", "pass", "no repo 'nope'"),
    ("p", "pass", "Missing option '-i' / '--input'"),
    ("p --input images:/* --nope", "pass", "No such option"),
    ("p --input 'images:/*", "pass", "No closing quotation"),
    ("p --input images:/* --input images:/*", "pass", "several inputs need names"),
    ("p --input images:/* --set datum_tris=1", "pass", "did you mean 'datum_tries'"),
    ("p --input images:/* --set transform=1 --set transform.user=a", "pass", "transform"),
    ("p --input images:/*", "x = (", "line 1 of the cell"),
    ("p --input images:/*", "!ls /pfs", "plain Python"),
    ("p --input images:/*", "print(of_another_cell)", "'of_another_cell' of the notebook"),
    ("p --input images:/*", "def f():\n    return dvm.mounts()", "'dvm' of the notebook"),
]


def test_what_is_wrong_is_said_in_one_line_and_nothing_is_made(images: str, dvmount: Dvmount) -> None:
    before = "import jupyter_dvmount as dvm; of_another_cell = 1"
    cells = [f"%%pipeline {line}\n{body}" for line, body, _ in WRONG]
    _, *shown = run(before, *cells, allow_errors=True)
    for text, (line, body, what) in zip(shown, WRONG, strict=True):
        assert len(text.splitlines()) == 1, (line, body, text)
        assert what in text
    assert dvmount.json("list", "pipeline") == []


def test_a_notebook_stops_at_a_cell_that_cannot_be_a_pipeline(images: str) -> None:
    with pytest.raises(CellExecutionError):
        run("%%pipeline p --input nope:/*\npass")


def test_help_is_shown(images: str) -> None:
    (shown,) = run("%%pipeline --help\npass")
    assert "--explain" in shown
