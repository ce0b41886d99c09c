"""A published notebook: frozen, run by the real papermill, kept as it was executed however it ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml

from jupyter_dvmount.pipelines.jobs import DatumInfo
from jupyter_dvmount.pipelines.spec import load
from jupyter_dvmount.store import Invalid, StoreError
from tests.integration.pipelines.lab import Lab
from tests.integration.pipelines.sandboxes import need

CODE = """
from pathlib import Path
(found,) = Path("/pfs/texts").glob("*.txt")
text = found.read_text().upper() * times
(Path("/pfs/out") / found.name).write_text(text)
print("has read", found.name)
"""
PYTHON = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}


def write(path: Path, *cells: str, kernelspec: dict[str, str] = PYTHON) -> Path:
    """A notebook of code cells; the first one has the parameters."""
    made = [nbformat.v4.new_code_cell(each) for each in cells]
    made[0].metadata["tags"] = ["parameters"]
    metadata = {"kernelspec": kernelspec} if kernelspec else {}
    notebook = nbformat.v4.new_notebook(cells=made, metadata=metadata)
    nbformat.write(notebook, path)
    return path


def publish(lab: Lab, path: str, *, glob: str = "/", name: str = "shout", **fields: Any) -> None:
    """Make the pipeline, or change it, by a spec in a file beside the notebook."""
    notebook = {"path": path, **fields.pop("notebook", {})}
    source = {"pfs": {"repo": "texts", "glob": glob}}
    spec = {"pipeline": {"name": name}, "input": source, "notebook": notebook, "datum_tries": 1, **fields}
    file = lab.root / "spec.yaml"
    file.write_text(yaml.safe_dump(spec))
    lab.pipelines.update([each.spec for each in load(file)])


def datum(lab: Lab) -> DatumInfo:
    """The datum of the newest job, which has one."""
    job = lab.newest("shout")
    (found,) = lab.pipelines.datums("shout", job.id)
    return found


def executed(lab: Lab) -> Any:
    """The executed notebook of the newest job's datum."""
    output = datum(lab).output
    assert output is not None, datum(lab)
    reader = lab.store.read(output.repo, output.commit)
    (path,) = (each.path for each in reader.walk(f"{output.path}/notebooks") if each.type == "file")
    return nbformat.reads(reader.open(path).read().decode(), as_version=4)


def printed(lab: Lab) -> str:
    job = lab.newest("shout")
    return "".join(f"{line.text}\n" for line in lab.pipelines.log_lines("shout", job.id))


@pytest.fixture
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    tier = getattr(request, "param", "plain")
    need(tier)
    lab = Lab(tmp_path, tier=tier)
    lab.put("texts", **{"a.txt": "alpha "})
    yield lab
    lab.close()


@pytest.mark.parametrize("lab", ["plain", "bubblewrap"], indirect=True)
def test_a_notebook_runs_with_its_parameters_and_is_kept_as_it_was_executed(lab: Lab) -> None:
    write(lab.root / "shout.ipynb", "times = 1", CODE)
    publish(lab, "shout.ipynb", notebook={"parameters": {"times": 2}})
    lab.once()
    job = lab.newest("shout")
    assert job.state == "success", printed(lab)
    files = lab.files("shout")
    assert files["/a.txt"] == "ALPHA ALPHA "
    assert "has read a.txt\n" in printed(lab)
    assert [*files] == ["/a.txt", f"/notebooks/{datum(lab).id[:16]}.ipynb"]
    ran = executed(lab)
    assert [each.source for each in ran.cells] == ["times = 1", "# Parameters\ntimes = 2\n", CODE]
    assert ran.cells[2].outputs[0].text == "has read a.txt\n"
    assert str(lab.config.state) not in json.dumps(ran.metadata)


def test_what_runs_is_the_copy_that_was_frozen_until_it_is_published_again(lab: Lab) -> None:
    path = write(lab.root / "shout.ipynb", "times = 1", CODE)
    publish(lab, "shout.ipynb")
    held = lab.pipelines.inspect("shout").spec.notebook
    assert held is not None
    path.unlink()
    lab.once()
    assert lab.files("shout")["/a.txt"] == "ALPHA "
    place, _, kept = held.path.partition(":")
    assert place == "shout.spec@master"
    files = lab.files("shout.spec")
    assert set(files) == {"/spec.json", kept, kept.replace(".ipynb", ".txt")}
    assert "times = 1" in files[kept]
    assert any(line.startswith("papermill==") for line in files[kept.replace(".ipynb", ".txt")].splitlines())
    write(path, "times = 3", CODE)
    publish(lab, "shout.ipynb")
    lab.once()
    assert lab.files("shout")["/a.txt"] == "ALPHA ALPHA ALPHA "
    assert kept in lab.files("shout.spec"), "an older job may still need it"


def test_a_notebook_that_was_only_run_again_is_the_same_and_runs_nothing(lab: Lab) -> None:
    path = write(lab.root / "shout.ipynb", "times = 1", CODE)
    publish(lab, "shout.ipynb")
    lab.once()
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="old\n")]
    notebook.cells[1].execution_count = 7
    notebook.cells[1].id = "another"
    notebook.metadata["language_info"] = {"name": "python", "version": "3.99"}
    nbformat.write(notebook, path)
    publish(lab, "shout.ipynb")
    assert lab.pipelines.inspect("shout").version == 1
    frozen = lab.pipelines.inspect("shout").spec
    lab.pipelines.update([frozen])
    assert lab.pipelines.inspect("shout").version == 1, "what inspect shows can be published again"
    assert [each.action for each in lab.pipelines.explain(frozen, {})] == ["gone"]
    publish(lab, "shout.ipynb", notebook={"parameters": {"times": 2}})
    lab.once()
    assert lab.newest("shout").datums.success == 1


def test_a_cell_that_fails_is_named_and_the_notebook_is_kept_up_to_it(lab: Lab) -> None:
    write(lab.root / "shout.ipynb", "x = 1", "print('before')", "1 / 0", "print('after')")
    publish(lab, "shout.ipynb")
    lab.once()
    job = lab.newest("shout")
    assert job.state == "failure"
    assert "a cell failed; the log and the executed notebook show which and why" in job.reason
    assert "In [3]: ZeroDivisionError: division by zero" in printed(lab).splitlines()
    outputs = [each.get("outputs", []) for each in executed(lab).cells]
    assert [each[0].output_type for each in outputs if each] == ["stream", "error"]
    failed = datum(lab)
    assert (failed.state, failed.exit_code) == ("failed", 103)
    assert failed.output is not None
    assert failed.output.repo == "shout.meta"


def test_a_notebook_that_takes_too_long_is_kept_up_to_the_cell_that_ran(lab: Lab) -> None:
    write(lab.root / "shout.ipynb", "x = 1", "print('before', flush=True)", "import time; time.sleep(100)")
    publish(lab, "shout.ipynb", datum_timeout="12s")
    lab.once()
    assert datum(lab).failure == "timeout"
    ran = executed(lab).cells
    assert ran[1].outputs[0].text == "before\n"
    assert ran[2].source == "import time; time.sleep(100)"


def test_a_kernel_that_dies_is_said(lab: Lab) -> None:
    write(lab.root / "shout.ipynb", "x = 1", "import os; os.kill(os.getpid(), 9)")
    publish(lab, "shout.ipynb")
    lab.once()
    assert "the kernel died; the log and the executed notebook show where" in lab.newest("shout").reason
    assert len(executed(lab).cells) == 2


def test_where_papermill_or_the_kernel_is_missing_the_job_says_so_and_what_to_do(lab: Lab) -> None:
    write(lab.root / "shout.ipynb", "x = 1")
    publish(lab, "shout.ipynb", notebook={"kernel": "fortran"})
    lab.once()
    assert "the kernel 'fortran' is not there where the job runs; install it" in lab.newest("shout").reason
    without = lab.root / "without"
    without.mkdir()
    (without / "papermill.py").write_text("raise ImportError(\"No module named 'papermill'\")")
    publish(lab, "shout.ipynb", transform={"env": {"PYTHONPATH": str(without)}})
    lab.once()
    reason = lab.newest("shout").reason
    assert "papermill is not there where the job runs; pip install papermill ipykernel" in reason
    assert "No module named 'papermill'" in printed(lab)


def test_a_copy_that_somebody_has_changed_is_not_run(lab: Lab) -> None:
    write(lab.root / "shout.ipynb", "times = 1", CODE)
    publish(lab, "shout.ipynb")
    held = lab.pipelines.inspect("shout").spec.notebook
    assert held is not None
    lab.put("shout.spec", **{held.path.partition(":/")[2].replace("/", "__"): "{}"})
    lab.start()
    waits = lab.until(lambda: lab.newest("shout").reason)
    assert "is not the notebook that was published; publish the notebook again" in waits


def test_each_datum_has_a_notebook_of_its_own(lab: Lab) -> None:
    lab.put("texts", **{"b.txt": "beta "})
    write(lab.root / "shout.ipynb", "times = 1", CODE)
    publish(lab, "shout.ipynb", glob="/*")
    lab.once()
    files = lab.files("shout")
    assert (files["/a.txt"], files["/b.txt"]) == ("ALPHA ", "BETA ")
    assert len([path for path in files if path.startswith("/notebooks/")]) == 2


def test_a_notebook_of_the_store_is_published_as_one_of_the_disk(lab: Lab) -> None:
    path = write(lab.root / "shout.ipynb", "times = 1", CODE)
    lab.put("code", **{"shout.ipynb": path.read_bytes()})
    publish(lab, "code@master:/shout.ipynb")
    lab.once()
    assert lab.files("shout")["/a.txt"] == "ALPHA "


WRONG = [
    ({"path": "none.ipynb"}, "there is no "),
    ({"path": "code@master:/none.ipynb"}, "no repo 'code'"),
    ({"path": "spec.yaml"}, "is not a notebook"),
    ({"path": "list.json"}, "is not a notebook"),
    ({"path": "no-kernel.ipynb"}, "names no kernel; choose one in JupyterLab, or set notebook.kernel"),
    ({"path": "ok.ipynb", "parameters": {"tims": 1}}, "has no parameter 'tims'; did you mean 'times'?"),
    ({"path": "untagged.ipynb", "parameters": {"times": 1}}, "has the tag 'parameters'"),
    ({"path": "empty.ipynb"}, "has no code"),
]


@pytest.mark.parametrize(("notebook", "message"), WRONG, ids=str)
def test_what_cannot_be_published_is_said_and_nothing_is_made(
    lab: Lab, notebook: dict[str, Any], message: str
) -> None:
    write(lab.root / "ok.ipynb", "times = 1", CODE)
    write(lab.root / "no-kernel.ipynb", "x = 1", kernelspec={})
    (lab.root / "list.json").write_text("[1]")
    for name, cells in (("empty", []), ("untagged", [nbformat.v4.new_code_cell("times = 1")])):
        made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": PYTHON})
        nbformat.write(made, lab.root / f"{name}.ipynb")
    with pytest.raises(StoreError) as caught:
        publish(lab, notebook["path"], notebook=notebook)
    assert message in f"{caught.value.message}; {caught.value.fix}"
    assert [*lab.pipelines.all()] == []
    assert "shout.spec" not in {each.name for each in lab.store.list_repos()}


def test_a_notebook_of_an_older_format_is_understood(lab: Lab) -> None:
    cell = {"cell_type": "code", "language": "python", "input": ["print(1)"], "outputs": [], "metadata": {}}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [cell]}]}
    (lab.root / "old.ipynb").write_text(json.dumps(old))
    publish(lab, "old.ipynb", notebook={"kernel": "python3"})
    lab.once()
    assert lab.newest("shout").state == "success", printed(lab)


def test_a_notebook_with_its_own_command_is_refused(lab: Lab) -> None:
    write(lab.root / "shout.ipynb", "times = 1", CODE)
    with pytest.raises(Invalid, match="there is both a notebook and a"):
        publish(lab, "shout.ipynb", transform={"cmd": ["sh"]})
