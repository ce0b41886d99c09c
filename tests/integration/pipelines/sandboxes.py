"""Runs plans in the real tiers."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_dvmount.pipelines.sandbox.plan import Bind, Outcome, Place, Plan, Tier
from jupyter_dvmount.pipelines.sandbox.run import run_plan
from jupyter_dvmount.pipelines.sandbox.supervise import Cancel, Supervisor
from jupyter_dvmount.pipelines.sandbox.tiers import Tiers
from jupyter_dvmount.store import StoreError

TIERS = Tiers()
IMAGE = "dvmount-test-busybox:1"


def need(tier: Tier) -> None:
    """Skip the test, with the reason, where a tier does not work."""
    try:
        TIERS.get(tier)
    except StoreError as error:
        pytest.skip(f"no tier {tier} here: {error.message}")


def make_image() -> None:
    """Build the test's image from Debian's busybox-static, unless it is there."""
    engine = TIERS.get("image").detail.split()
    if subprocess.run([*engine, "image", "inspect", IMAGE], capture_output=True, check=False).returncode == 0:
        return
    script = (
        "set -e; d=$(mktemp -d); mkdir $d/bin $d/tmp $d/etc; cp $(command -v busybox) $d/bin/busybox;"
        "for a in $($d/bin/busybox --list | grep -vx busybox); do ln -sf busybox $d/bin/$a; done;"
        "printf 'root:x:0:0::/:/bin/sh\\n' > $d/etc/passwd; tar -C $d -c .; rm -r $d"
    )
    archive = subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout
    subprocess.run([*engine, "import", "-", IMAGE], input=archive, capture_output=True, check=True)


class Box:
    """One tier, one supervisor, and places below a directory."""

    def __init__(self, tier: Tier, root: Path) -> None:
        self.tier = tier
        self.root = root
        self.supervisor = Supervisor()
        self.cancel = Cancel()
        self.printed = bytearray()
        self.image = IMAGE if tier == "image" else ""

    def place(self, **options: Any) -> Place:
        root = self.root / os.urandom(4).hex()
        root.mkdir(parents=True)
        env = {"PATH": os.environ["PATH"]} if self.tier != "image" else {}
        options.setdefault("env", env)
        return Place(root=root, out=root / "out", **options)

    def run(self, *cmd: str, place: Place | None = None, **options: Any) -> Outcome:
        return run_plan(
            Plan(cmd=cmd, image=self.image, **options),
            place or self.place(),
            sandbox=TIERS.get(self.tier),
            supervisor=self.supervisor,
            cgroups=TIERS.cgroups,
            sink=self.printed.extend,
            cancel=self.cancel,
        )

    def sh(self, script: str, **options: Any) -> Outcome:
        return self.run("sh", stdin=tuple(script.splitlines()), **options)

    def cancel_after(self, ready: Callable[[], object]) -> None:
        def wait() -> None:
            deadline = time.monotonic() + 20
            while not ready() and time.monotonic() < deadline:
                time.sleep(0.01)
            self.cancel.set()

        threading.Thread(target=wait, daemon=True).start()

    def close(self) -> None:
        self.supervisor.close()
        self.cancel.close()


def boxes(tier: Tier, root: Path) -> Iterator[Box]:
    need(tier)
    if tier == "image":
        make_image()
    box = Box(tier, root)
    yield box
    box.close()


def running(marker: str) -> list[int]:
    """Processes of this machine with a word among their arguments."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                arguments = (path / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(marker.encode() in each for each in arguments) and int(path.name) != os.getpid():
                found.append(int(path.name))
    return found


def data(root: Path) -> Bind:
    """An input ``images`` with one file."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "a.txt").write_text("alpha\n")
    (root / "a.txt").chmod(0o444)
    return Bind(root, "/pfs/images")
