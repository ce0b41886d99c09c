"""Start a JupyterLab of its own for the browser tests, and leave nothing behind.

Everything is in the directory ``DVM_UI_DIR``: home, store, state and mount root. The data is put there with
the real store; mounts are real FUSE mounts.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import jupyterlab

ENTRIES = 100_000
TOOLS = Path(__file__).parents[2] / "tools"


def main() -> int:
    options = parse()
    home = Path(os.environ["DVM_UI_DIR"]) / str(options.port)
    environment = prepare(home, options.mode)
    if options.server_half:
        load(environment["DVMOUNT_STORE"])
    server = subprocess.Popen(command(options, home / "work"), env=environment, cwd=home)

    def stop(_signal: int, _frame: object) -> None:
        server.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    status = server.wait()
    if options.server_half:
        clean(environment)
    shutil.rmtree(home, ignore_errors=True)
    with suppress(OSError):  # the other server still has its own directory there
        home.parent.rmdir()
    return status


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--mode", choices=("fuse", "checkout"), default="fuse", help="how to mount")
    parser.add_argument("--no-server-half", dest="server_half", action="store_false")
    return parser.parse_args()


def prepare(home: Path, mode: str) -> dict[str, str]:
    """Directories, and the environment that makes every program use them."""
    for name in ("work", "runtime"):
        (home / name).mkdir(parents=True)
    inherited = {
        key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER_", "DVMOUNT_"))
    }
    return inherited | {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "DVMOUNT_MODE": mode,
        "DVMOUNT_STORE": (home / "store").as_uri(),
        "DVMOUNT_STATE": str(home / "state"),
        "DVMOUNT_ROOT": str(home / "work" / "dvmount"),
    }


def command(options: argparse.Namespace, root: Path) -> list[str]:
    """JupyterLab with Galata's helper, otherwise as users have it: with a token and XSRF checks."""
    galata = Path(jupyterlab.__file__).parent / "galata"
    settings = {
        "ServerApp.port": options.port,
        "ServerApp.port_retries": 0,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "ServerApp.root_dir": root,
        "IdentityProvider.token": options.token,
        "LabApp.expose_app_in_browser": True,
        "LabApp.news_url": "None",
        "LabServerApp.extra_labextensions_path": galata,
    }
    lab = [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in settings.items())]
    if not options.server_half:
        lab.append("--ServerApp.jpserver_extensions={'jupyter_dvmount': False, 'jupyterlab': True}")
    return lab


def load(url: str) -> None:
    """Repositories as people have them, and one that is too large to be shown at once."""
    from jupyter_dvmount.store import open_store

    with open_store(url) as store:
        store.create_repo("images", description="Squares in many colours")
        for number, colour in enumerate(("red", "green", "blue")):
            with store.modify("images", "master", message=f"Add {colour}", author="ui tests") as writer:
                writer.put(f"/squares/{colour}.png", png(number))
        store.create_repo("iris", description="Measurements of flowers")
        with store.modify("iris", "master", message="The table", author="ui tests") as writer:
            writer.put("/iris.csv", b"species,length\nsetosa,5.1\nvirginica,6.3\n")
        store.create_repo("many")
        with store.modify("many", "master", message="A hundred thousand files") as writer:
            for number in range(ENTRIES):
                writer.put(f"/files/{number:06d}.txt", b"%d" % number)
        long_name = "a-repository-with-a-name-that-is-longer-than-a-sidebar-is-wide"
        store.create_repo(f"project/{long_name}")
        with store.modify(f"project/{long_name}", "master", message="Long " * 30) as writer:
            writer.put("/file.txt", b"text")


def png(channel: int, side: int = 64) -> bytes:
    """A square of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + bytes(255 if index == channel else 40 for index in range(3)) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(row * side))
        + chunk(b"IEND", b"")
    )


def clean(environment: dict[str, str]) -> None:
    """Take the mounts away, and stop the processes that served them and ran pipelines."""
    subprocess.run([sys.executable, TOOLS / "end_background.py"], env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main())
