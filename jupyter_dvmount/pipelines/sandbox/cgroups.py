"""Bounds on memory and processor time by control groups, version 1 or 2, where this user may make them.

Without them memory is bounded per process by RLIMIT_AS, and processor time is not.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from jupyter_dvmount.store import Unavailable

_PERIOD = 100_000  # microseconds, cpu.cfs_period_us and cpu.max
_PREFIX = "dvmount"
_PATIENCE = 2.0  # seconds that the kernel may take to forget processes that have ended


class _Controller(NamedTuple):
    """Directory in which groups are made for a controller."""

    name: str
    parent: Path


class Group:
    """The control groups of one attempt.

    Parameters
    ----------
    directories
        One for each controller; the same one for all in version 2.
    """

    def __init__(self, directories: dict[str, Path]) -> None:
        self._directories = directories

    @property
    def members(self) -> tuple[str, ...]:
        """Files that a process writes its id to."""
        return tuple(sorted({str(path / "cgroup.procs") for path in self._directories.values()}))

    def killed_for_memory(self) -> bool:
        """Whether the kernel has killed a process in it because memory ran out."""
        directory = self._directories.get("memory")
        if directory is None:
            return False
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError):
                fields = dict(line.split() for line in (directory / name).read_text().splitlines())
                return fields.get("oom_kill", "0") != "0"
        return False

    def remove(self) -> None:
        """Remove the groups; their processes have ended."""
        for path in set(self._directories.values()):
            deadline = time.monotonic() + _PATIENCE
            while path.exists():
                with suppress(OSError):
                    path.rmdir()
                if time.monotonic() > deadline:
                    break
                time.sleep(0.001)


class Cgroups:
    """Where this process can make control groups.

    Parameters
    ----------
    controllers
        Of ``memory`` and ``cpu``, those that can be used.
    """

    def __init__(self, controllers: tuple[_Controller, ...]) -> None:
        self._parents = {each.name: each.parent for each in controllers}

    @property
    def bounded(self) -> frozenset[str]:
        """Of ``memory`` and ``cpu``, what is really bounded."""
        return frozenset(self._parents)

    @contextmanager
    def group(self, *, memory: int | None, cpu: float | None) -> Iterator[Group | None]:
        """A group with these limits, or None where there is none to be set.

        Raises
        ------
        Unavailable
            If the kernel refuses it.
        """
        wanted = {"memory": memory, "cpu": cpu}
        used = {name: path for name, path in self._parents.items() if wanted[name] is not None}
        if not used:
            yield None
            return
        name = f"{_PREFIX}-{os.getpid()}-{os.urandom(4).hex()}"
        group = Group({controller: parent / name for controller, parent in used.items()})
        try:
            for controller, parent in used.items():
                (parent / name).mkdir(exist_ok=True)
                if controller == "memory" and memory is not None:
                    _bound_memory(parent / name, memory)
                elif cpu is not None:
                    _bound_cpu(parent / name, cpu)
            yield group
        except OSError as error:
            raise Unavailable(
                f"cannot set limits: {error.strerror}", fix="leave out resource_limits, or try again"
            ) from error
        finally:
            group.remove()


def _bound_memory(directory: Path, memory: int) -> None:
    if (directory / "memory.max").exists():
        (directory / "memory.max").write_text(str(memory))
        with suppress(OSError):  # without swap there is nothing to bound
            (directory / "memory.swap.max").write_text("0")
        return
    (directory / "memory.limit_in_bytes").write_text(str(memory))
    with suppress(OSError):
        (directory / "memory.memsw.limit_in_bytes").write_text(str(memory))


def _bound_cpu(directory: Path, cpu: float) -> None:
    quota = max(int(cpu * _PERIOD), 1000)
    if (directory / "cpu.max").exists():
        (directory / "cpu.max").write_text(f"{quota} {_PERIOD}")
    else:
        (directory / "cpu.cfs_quota_us").write_text(str(quota))


def probe() -> Cgroups:
    """Find out by trying where groups can be made; never raises."""
    own = _own()
    version2 = _mounts().get("")
    if version2 is not None:
        for parent in _upwards(version2, own.get("", "/")):
            if _works(parent, ("memory", "cpu"), version2=True):
                return Cgroups((_Controller("memory", parent), _Controller("cpu", parent)))
    found = []
    for name in ("memory", "cpu"):
        mount = _mounts().get(name)
        if mount is None:
            continue
        parent = mount / own.get(name, "/").lstrip("/")
        parent = parent if parent.is_dir() else mount
        if _works(parent, (name,), version2=False):
            found.append(_Controller(name, parent))
    return Cgroups(tuple(found))


def _works(parent: Path, controllers: tuple[str, ...], *, version2: bool) -> bool:
    directory = parent / f"{_PREFIX}-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        if version2 and not set(controllers) <= set((parent / "cgroup.subtree_control").read_text().split()):
            return False
        directory.mkdir()
    except OSError:
        return False
    try:
        for name in controllers:
            (_bound_memory if name == "memory" else _bound_cpu)(directory, 1 << 26)
        script = 'echo $$ > "$1" && exec true'
        arguments = ["sh", "-c", script, "sh", str(directory / "cgroup.procs")]
        return subprocess.run(arguments, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
    finally:
        Group({"": directory}).remove()


def _upwards(mount: Path, own: str) -> Iterator[Path]:
    path = mount / own.lstrip("/")
    yield from (each for each in (path, *path.parents) if each == mount or mount in each.parents)


def _own() -> dict[str, str]:
    """Path of this process's group by controller; that of version 2 under an empty name."""
    found = {}
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _mounts() -> dict[str, Path]:
    """Where each controller is mounted; version 2 under an empty name."""
    found = {}
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            left, _, right = line.partition(" - ")
            kind, _, options = right.split(" ", 2)
            place = Path(left.split(" ")[4])
            if kind == "cgroup2":
                found[""] = place
            elif kind == "cgroup":
                found.update((name, place) for name in options.split(",") if name in {"memory", "cpu"})
    return found
