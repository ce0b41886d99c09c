"""A spec tried on one datum: as a job would run it, into a local directory, and nothing is committed."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

import jupyter_dvmount as dvm
from jupyter_dvmount.store import StoreError
from tests.integration.cli.command import Dvmount, Start
from tests.integration.mounts.processes import wait_for
from tests.integration.pipelines.sandboxes import need, running

SPEC = """
pipeline: {name: upper}
input: {pfs: {repo: images, glob: "/**/*.txt", name: data}}
transform:
  cmd: [sh]
  stdin:
    - echo working on $data; mkdir /pfs/out/deep
    - tr a-z A-Z < $data > /pfs/out/deep/$(basename $data); ln -s $data /pfs/out/same
"""


@pytest.fixture(autouse=True, params=["plain"])
def tier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    need(request.param)
    monkeypatch.setenv("DVMOUNT_TIER", request.param)
    monkeypatch.setenv("DVMOUNT_MODE", "checkout")


@pytest.fixture(autouse=True)
def nothing_is_committed_or_left(images: str, dvmount: Dvmount, places: Path) -> Iterator[None]:
    Path("upper.yaml").write_text(SPEC)
    before = dvmount("list", "commitset"), dvmount("list", "repo", "--all")
    yield
    assert (dvmount("list", "commitset"), dvmount("list", "repo", "--all")) == before
    assert dvmount.json("list", "pipeline") == []
    assert [*(places / "state" / "scratch").glob("*")] == []


def files(directory: str | Path) -> dict[str, str]:
    found = [each for each in Path(directory).rglob("*") if each.is_file()]
    return {str(each.relative_to(directory)): each.read_text() for each in found}


@pytest.mark.parametrize("tier", ["plain", "bubblewrap"], indirect=True)
def test_a_datum_is_run_and_its_output_is_a_directory(dvmount: Dvmount) -> None:
    result = dvmount.run("run", "datum", "-f", "upper.yaml", "/pets/cat.txt", "-o", "try")
    assert result.exit_code == 0, result.output
    assert any(line.startswith("working on ") for line in result.stdout.splitlines())
    assert "(data:/pets/cat.txt): success in " in result.stderr
    assert result.stderr.endswith("2 files in try\n")
    assert files("try") == {"deep/cat.txt": "MEOW\n", "same": "meow\n"}
    assert not Path("try/same").is_symlink()


def test_a_datum_is_the_first_or_named_by_its_id(dvmount: Dvmount) -> None:
    first, second = dvmount.json("explain", "pipeline", "-f", "upper.yaml")
    dvmount("run", "datum", "-f", "upper.yaml")
    assert Path(f"upper-{first['datum'][:12]}").is_dir()
    dvmount("run", "datum", "-f", "upper.yaml", second["datum"][:10])
    assert Path(f"upper-{second['datum'][:12]}").is_dir()


def test_code_that_fails_is_said_with_its_reason(dvmount: Dvmount) -> None:
    Path("bad.yaml").write_text(SPEC.replace("echo working", "echo before; exit 3; echo working"))
    result = dvmount.run("run", "datum", "-f", "bad.yaml", "-o", "try")
    assert result.exit_code == 1
    assert "before" in result.stdout
    assert result.stderr.splitlines()[-1].endswith("ended as failed: sh ended with exit code 3")
    Path("socket.yaml").write_text(SPEC.replace("echo working", "mkfifo /pfs/out/pipe; echo working"))
    result = dvmount.run("run", "datum", "-f", "socket.yaml")
    assert "/pfs/out/pipe is a named pipe; write regular files" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("/none.txt",), "upper has no datum '/none.txt'; explain pipeline lists its datums"),
        (("-o", "full"), "full is not empty; name a directory that is empty or not there"),
        (("-o", "upper.yaml"), "upper.yaml: File exists; name another directory"),
    ],
)
def test_what_cannot_be_tried_is_said_in_one_line(
    dvmount: Dvmount, arguments: tuple[str, ...], message: str
) -> None:
    Path("full").mkdir()
    Path("full/x").touch()
    assert dvmount.error("run", "datum", "-f", "upper.yaml", *arguments) == message


def test_a_spec_without_data_or_several_specs_are_not_tried(dvmount: Dvmount) -> None:
    Path("none.yaml").write_text(SPEC.replace("*.txt", "*.png"))
    assert "upper has no datum: no file matches its inputs" in dvmount.error(
        "run", "datum", "-f", "none.yaml"
    )
    Path("two.yaml").write_text(f"{SPEC}---{SPEC}")
    assert "two.yaml has 2 specs" in dvmount.error("run", "datum", "-f", "two.yaml")


def test_interrupting_ends_the_code_too(start: Start) -> None:
    Path("slow.yaml").write_text(SPEC.replace("echo working", "sleep 4321.5; echo working"))
    process = start("run", "datum", "-f", "slow.yaml", start_new_session=True)
    wait_for(lambda: running("4321.5"))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode in {1, 130}
    assert not running("4321.5")


def test_a_secret_is_there_and_is_not_shown(dvmount: Dvmount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALUE", "local-0123456789abcdef")
    dvmount("create", "secret", "key", "--from-env", "KEY=VALUE")
    secret = "  secrets: [{name: key, env_var: KEY, key: KEY}]\n"
    Path("secret.yaml").write_text(SPEC.replace("echo working", "echo it is $KEY; echo working") + secret)
    assert "it is ***" in dvmount("run", "datum", "-f", "secret.yaml")


def notebook(*cells: str) -> None:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = [nbformat.v4.new_code_cell(each) for each in cells]
    made[0].metadata["tags"] = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel}), "n.ipynb")


def test_a_notebook_is_tried_from_python_and_kept_as_far_as_it_got(
    capsys: pytest.CaptureFixture[str],
) -> None:
    notebook("times = 1", "print('n' * times)")
    chosen = {"path": "n.ipynb", "parameters": {"times": 3}}
    made = dvm.pipeline("notes", input="images:/", notebook=chosen)
    directory = made.try_datum(to="try")
    assert [path.partition("/")[0] for path in files(directory)] == ["notebooks"]
    assert "nnn" in capsys.readouterr().out.splitlines()
    notebook("times = 1", "print('before')", "1 / 0")
    with pytest.raises(StoreError, match="a cell failed"):
        dvm.pipeline("notes", input="images:/", notebook="n.ipynb").try_datum(to="again")
    (kept,) = files("again").values()
    assert "ZeroDivisionError" in kept


def test_a_mistyped_name_of_a_notebook_is_said(dvmount: Dvmount) -> None:
    with pytest.raises(StoreError, match=r"there is no none\.ipynb"):
        dvm.pipeline("notes", input="images:/", notebook="none.ipynb").try_datum()


def test_strictly_a_spec_without_an_image_is_refused(dvmount: Dvmount) -> None:
    for verb in ("create", "update"):
        line = dvmount.error(verb, "pipeline", "-f", "upper.yaml", "--strict")
        assert line == "upper names no image; give it a transform.image, or leave --strict away"


def test_the_command_is_the_same_as_a_process(dvmount: Dvmount) -> None:
    from tests.integration.cli.command import COMMAND

    command = [*COMMAND, "run", "datum", "-f", "-", "-o", "try"]
    done = subprocess.run(command, input=SPEC.encode(), env=dict(os.environ), capture_output=True, check=True)
    assert b"working on" in done.stdout
    assert files("try")["same"] == "alpha\n"
