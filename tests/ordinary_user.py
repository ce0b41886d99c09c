"""Runs commands as an ordinary user, with /dev/fuse usable or out of reach, whoever runs the tests.

Everything happens in a mount namespace of its own: device modes, masks and bind mounts end with the command.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

NOBODY = 65534

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user and hide /dev/fuse from it"
)


def run(
    command: list[str],
    *,
    home: Path,
    fuse: bool,
    env: dict[str, str] | None = None,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` as `NOBODY` in ``home`` (given to that user), with or without a usable /dev/fuse."""
    home.mkdir(parents=True, exist_ok=True)
    lines = ["set -e", "mount --make-rprivate /", "mount -t tmpfs -o mode=755 none /mnt"]
    for path in (Path(sys.base_prefix), Path(sys.prefix), Path(command[0]).parent, home):
        lines += _reachable(path.absolute())
    lines += _device(usable=fuse)
    lines.append(
        f"exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups --inh-caps=-all "
        f"env -i {_environment(home, env)} {shlex.join(command)}"
    )
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", home], check=True)
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", "\n".join(lines)],
        cwd=home,
        text=True,
        capture_output=True,
        timeout=timeout,
        check=False,
    )


def _environment(home: Path, env: dict[str, str] | None) -> str:
    values = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TMPDIR": "/tmp"}
    return shlex.join(f"{key}={value}" for key, value in {**values, **(env or {})}.items())


def _reachable(path: Path) -> list[str]:
    """Lines that let everybody reach ``path`` though a directory above it is private."""
    closed = next((p for p in reversed(path.parents) if not p.stat().st_mode & 0o001), None)
    if closed is None:
        return []
    inside, kept = shlex.quote(str(path)), shlex.quote(str(closed))
    return [
        f"if ! setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups test -x {inside}; then",
        "  hold=$(mktemp -d -p /mnt)",
        f"  mount --rbind {inside} $hold",
        f"  mount -t tmpfs -o mode=755 none {kept}",
        f"  mkdir -p {inside}",
        f"  mount --rbind $hold {inside}",
        "fi",
    ]


def _device(*, usable: bool) -> list[str]:
    if not usable:
        return [
            "mask=$(mktemp -p /mnt)",
            "chmod 000 $mask",
            "[ ! -e /dev/fuse ] || mount --bind $mask /dev/fuse",
        ]
    return [
        "node=/mnt/fuse",
        "mknod -m 666 $node c 10 229",
        "mount --bind $node /dev/fuse",
    ]
