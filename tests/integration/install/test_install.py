"""What a newcomer gets from a clean clone: the package, its extension and its demo."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ordinary_user

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that every user can read, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="dvmount-install-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def clone(place: Path) -> Path:
    """The sources without anything built from them, so that a stale build cannot help."""
    target = place / "clone"
    built = {ROOT / "jupyter_dvmount/labextension", ROOT / "labextension/lib"}

    def leave_out(directory: str, names: list[str]) -> set[str]:
        hidden = {name for name in names if name.startswith(".") and name != ".yarnrc.yml"}
        made = {name for name in names if name in {"node_modules", "__pycache__", "build", "dist"}}
        return hidden | made | {name for name in names if Path(directory, name) in built}

    return Path(shutil.copytree(ROOT, target, ignore=leave_out))


@pytest.fixture(scope="module")
def wheel(place: Path, clone: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", place / "dist", clone],
        check=True,
    )
    return next((place / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def installed(place: Path, wheel: Path) -> Path:
    """The bin directory of a fresh environment with the wheel and what the demo needs."""
    subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True)
    binaries = place / "venv" / "bin"
    subprocess.run([binaries / "python", "-m", "pip", "install", "--quiet", f"{wheel}[demo]"], check=True)
    return binaries


def test_the_wheel_has_both_packages_the_panel_and_the_server_configuration(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for part in (
        "jupyter_dvmount/store/embedded/",
        "jupyter_dvmount/server/openapi.yaml",
        "dvmount_fuse/main.py",
        "share/jupyter/labextensions/jupyter-dvmount/static/remoteEntry",
        "share/jupyter/labextensions/jupyter-dvmount/schemas/",
        "etc/jupyter/jupyter_server_config.d/jupyter_dvmount.json",
    ):
        assert any(part in name for name in names), part
    assert not [name for name in names if "node_modules" in name or name.startswith("tests")]


def test_both_halves_of_the_extension_are_enabled_without_configuration(
    installed: Path, tmp_path: Path
) -> None:
    home = {**os.environ, "HOME": str(tmp_path), "NO_COLOR": "1", "PATH": f"{installed}:{os.environ['PATH']}"}
    lab, server = (
        subprocess.run(
            [installed / "jupyter", kind, "extension" if kind == "server" else "list", *extra],
            env=home, text=True, capture_output=True, check=True,
        )
        for kind, extra in (("labextension", ()), ("server", ("list",)))
    )  # fmt: skip
    assert "jupyter-dvmount v" in lab.stdout + lab.stderr
    listing = server.stdout + server.stderr
    assert "jupyter_dvmount" in listing
    assert "enabled" in listing
    assert "X is" not in listing, listing


def test_the_commands_are_there(installed: Path) -> None:
    for command in ("dvmount", "dvmount-fuse"):
        out = subprocess.run(
            [installed / command, "--help"], text=True, capture_output=True, check=True
        ).stdout
        assert command in out


@ordinary_user.needs_root
def test_the_demo_runs_for_an_ordinary_user_without_dev_fuse(
    installed: Path, clone: Path, place: Path
) -> None:
    home = place / "home"
    shutil.copytree(clone / "binder", home / "binder")
    loaded = ordinary_user.run([str(installed / "python"), "binder/load_sample.py"], home=home, fuse=False)
    assert loaded.returncode == 0, loaded.stderr
    ran = ordinary_user.run(
        [str(installed / "jupyter"), "nbconvert", "--to", "notebook", "--execute", "--output", "ran.ipynb",
         "binder/demo.ipynb"],
        home=home, fuse=False, timeout=600,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    cells = json.loads((home / "binder" / "ran.ipynb").read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in outputs), "no picture was shown"
    doctor = ordinary_user.run([str(installed / "dvmount"), "doctor", "-o", "json"], home=home, fuse=False)
    mount = next(check for check in json.loads(doctor.stdout) if check["id"] == "mount")
    assert mount["status"] == "limited"
    assert "/dev/fuse" in mount["detail"]
    left = ordinary_user.run(
        [str(installed / "dvmount"), "list", "mount", "-o", "json"], home=home, fuse=False
    )
    assert json.loads(left.stdout) == []
