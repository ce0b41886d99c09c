"""What notebooks use: the Python functions, ``%dvmount``, the sample data and the demo."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbclient import NotebookClient

import jupyter_dvmount as dvm
from jupyter_dvmount.store import StoreError
from tests.integration.cli.command import Dvmount

BINDER = Path(__file__).parents[3] / "binder"


def test_a_mount_is_a_path_whose_files_open_reads(images: str, places: Path) -> None:
    path = dvm.mount("images@master")
    assert path == places / "root" / "images"
    with open(path / "pets" / "cat.txt") as file:  # noqa: PTH123 - what people write
        assert file.read() == "meow\n"
    assert dvm.mount("images") == path, "running a cell again is no error"
    (mount,) = dvm.mounts()
    assert path.resolve().name == f"images@{mount.commit}"
    assert dvm.unmount(path).name == "images"
    assert dvm.mounts() == []


def test_a_mount_has_the_name_or_the_place_it_is_given(images: str, places: Path) -> None:
    assert dvm.mount("images@master", "photos") == places / "root" / "photos"
    assert dvm.mount("images@master", name="./here") == Path("here").absolute()
    assert dvm.mount("images@master", name=Path("here").absolute()) == Path("here").absolute()
    dvm.unmount("photos")
    dvm.unmount("./here")
    assert dvm.mounts() == []


def test_a_mount_that_follows_says_so(images: str) -> None:
    dvm.mount("images@master", follow=True)
    assert [mount.follow for mount in dvm.mounts()] == [True]


def test_the_store_can_be_used_directly(images: str, dvmount: Dvmount) -> None:
    with dvm.open_store() as store:
        assert [repo.name for repo in store.list_repos()] == ["images"]
        assert store.read("images", "master").open("/a.txt").read() == b"alpha\n"


@pytest.mark.parametrize(
    ("location", "what"),
    [
        ("nope@master", "no repo 'nope'"),
        ("images@nope", "nope"),
        ("images@master:/pets", "names a path"),
        ("im ages", "illegal repo name"),
    ],
)
def test_an_error_is_a_short_message_with_the_remedy(images: str, location: str, what: str) -> None:
    with pytest.raises(StoreError) as caught:
        dvm.mount(location)
    assert what in str(caught.value)
    assert caught.value.fix in str(caught.value)
    assert caught.value.fix
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert len(frames) <= 2, "the cell and one line of ours"
    assert dvm.mounts() == []


def test_mounts_can_be_listed_and_removed_without_a_store(places: Path) -> None:
    assert dvm.mounts() == []
    with pytest.raises(StoreError):
        dvm.unmount("nope")
    assert not (places / "store").exists()


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    made = InteractiveShell()
    made.run_line_magic("load_ext", "jupyter_dvmount")
    yield made
    made.history_manager = None


def test_the_magic_runs_the_command_and_shows_a_table(images: str, shell: InteractiveShell) -> None:
    with capture_output() as captured:
        shell.run_line_magic("dvmount", "list repo")
    assert captured.stdout.startswith("NAME")
    assert "images" in captured.stdout


def test_the_magic_shows_an_error_as_its_one_line(images: str, shell: InteractiveShell) -> None:
    with capture_output() as captured:
        shell.run_line_magic("dvmount", "inspect repo nope")
        shell.run_line_magic("dvmount", "put file 'images@master:/x' -f nosuch")
        shell.run_line_magic("dvmount", 'inspect repo "unbalanced')
    assert len(captured.stdout.splitlines()) == 3
    assert all(line.startswith("error: ") for line in captured.stdout.splitlines())


def load_sample() -> str:
    pytest.importorskip("skimage", reason="the demo's libraries are not installed")
    loaded = subprocess.run(
        [sys.executable, BINDER / "load_sample.py"], capture_output=True, text=True, check=False
    )
    assert loaded.returncode == 0, loaded.stderr
    return loaded.stdout


def test_sample_data_has_a_history_and_loading_it_again_adds_nothing(dvmount: Dvmount) -> None:
    load_sample()
    before = dvmount("list", "commit", "images"), dvmount("list", "branch", "images")
    assert len(dvmount.commits("images")) == 4
    load_sample()
    assert (dvmount("list", "commit", "images"), dvmount("list", "branch", "images")) == before
    assert dvmount("get", "file", "iris:/iris.csv").count("\n") == 151
    photo = dvmount.run("get", "file", "images:/animals/cat.png").stdout_bytes
    assert photo.startswith(b"\x89PNG")


def test_the_demo_runs_from_top_to_bottom(dvmount: Dvmount) -> None:
    load_sample()
    notebook = nbformat.read(BINDER / "demo.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "the file is kept without outputs"
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert dvm.mounts() == [], "it tidies up"
