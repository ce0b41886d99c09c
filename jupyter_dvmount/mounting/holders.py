"""Which processes of the user still read below a mount; from /proc, without touching the mount."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .model import Holder

_COMMAND = 80  # characters of a command line that are enough to recognise it


def holders(target: Path) -> tuple[Holder, ...]:
    """Processes with an open or mapped file or their working directory at or below ``target``.

    Best effort: processes of other users cannot be looked into.
    """
    root = str(target)
    return tuple(
        Holder(pid=int(process.name), command=_command(process))
        for process in Path("/proc").iterdir()
        if process.name.isdigit()
        and (_maps(process, root) or any(_is_below(place, root) for place in _places(process)))
    )


def _is_below(place: str, root: str) -> bool:
    return place == root or place.startswith(root + "/")


def _maps(process: Path, root: str) -> bool:
    with suppress(OSError):
        return f" {root}/".encode() in (process / "maps").read_bytes()
    return False


def _places(process: Path) -> Iterator[str]:
    with suppress(OSError):
        yield str((process / "cwd").readlink())
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                yield str(descriptor.readlink())


def _command(process: Path) -> str:
    with suppress(OSError):
        words = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        return b" ".join(words).decode(errors="replace")[:_COMMAND]
    return ""
