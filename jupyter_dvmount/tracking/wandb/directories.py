"""Run directories: found by their names, read by wandb's own inspector, remembered until they change."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from jupyter_dvmount.store import StoreError
from jupyter_dvmount.tracking.model import Run, RunState, Series

from .program import inspect

_LOGS = "*/run-*.wandb"
_OFFLINE = "offline-"
_HEADER = 7  # bytes: a log that holds no more was begun and nothing else
_REMEMBERED = 256
_CONSOLE_LINES = 200
_STATES: dict[str, RunState] = {
    "running": "running",
    "finished": "finished",
    "failed": "failed",
    "crashed": "crashed",
    "killed": "crashed",
}


class _Summary(msgspec.Struct, kw_only=True):
    """What ``wandb leet inspect --summary --json`` prints; values of a config may be wrapped."""

    run_id: str = ""
    project: str = ""
    entity: str = ""
    name: str = ""
    state: str = ""
    exit_code: int | None = None
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    tags: list[str] | None = None
    console: list[Any] | None = None
    start_time: str = ""
    last_write: str = ""


class RunDirectories:
    """Reads run directories. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Path, tuple[tuple[int, int], Run]] = OrderedDict()

    def runs(self, directory: Path) -> list[Run]:
        """The runs below a directory, oldest first."""
        logs = sorted(directory.glob(_LOGS), key=lambda log: log.parent.name.removeprefix(_OFFLINE))
        return [self._run(directory, log) for log in logs if not log.parent.is_symlink()]

    def _run(self, directory: Path, log: Path) -> Run:
        found = log.stat()
        version = (found.st_mtime_ns, found.st_size)
        with self._lock:
            known = self._known.get(log)
        if known is None or known[0] != version:
            known = (version, _read(log, found.st_size))
            with self._lock:
                self._known[log] = known
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return msgspec.structs.replace(
            known[1],
            directory=str(log.parent.relative_to(directory)),
            offline=log.parent.name.startswith(_OFFLINE),
            synced=_synced(log),
        )


def marks(directory: Path) -> frozenset[str]:
    """The logs below a directory that tell something, and whether they have been uploaded."""
    logs = (log for log in directory.glob(_LOGS) if not log.parent.is_symlink())
    with suppress(FileNotFoundError):  # removed just now
        return frozenset(f"{log}{_synced(log)}" for log in logs if log.stat().st_size > _HEADER)
    return frozenset()


def _synced(log: Path) -> bool:
    return log.with_name(log.name + ".synced").exists()


def history(run: Path, *, points: int) -> list[Series]:
    """The numeric metrics of a run directory, at most ``points`` values of each."""
    gathered: dict[str, tuple[list[int], list[float]]] = {}
    kept: dict[str, int] = {}
    for step, item in _history(run):
        for name, value in item.items():
            if name.startswith("_") or isinstance(value, bool) or not isinstance(value, (int, float)):
                continue
            steps, values = gathered.setdefault(name, ([], []))
            if step % kept.setdefault(name, 1) == 0 or not steps:
                steps.append(step)
                values.append(float(value))
            if len(steps) > 2 * points:  # keep every second one: evenly, in bounded memory
                del steps[1::2], values[1::2]
                kept[name] *= 2
    return [Series(name, *_thin(*gathered[name], points)) for name in sorted(gathered)]


def _thin(steps: list[int], values: list[float], points: int) -> tuple[list[int], list[float]]:
    stride = -(-len(steps) // points)
    return (steps, values) if stride <= 1 else (steps[::stride], values[::stride])


def _history(run: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    log = next(run.glob("run-*.wandb"), None)
    for line in inspect(log) if log is not None else ():
        if b'"type":"history"' in line:
            record = msgspec.json.decode(line)["history"]
            yield int(record.get("step", {}).get("num", 0)), record.get("item", {})


def _read(log: Path, size: int) -> Run:
    run_id = log.stem.removeprefix("run-")
    if size <= _HEADER:
        return Run(run_id=run_id)
    try:
        found = msgspec.json.decode(b"".join(inspect(log, "-summary")), type=_Summary)
    except (StoreError, msgspec.DecodeError):
        return Run(run_id=run_id)  # cut off in its first record
    return Run(
        run_id=found.run_id or run_id,
        project=found.project,
        entity=found.entity,
        name=found.name,
        state=_STATES.get(found.state, "unknown"),
        exit_code=found.exit_code,
        config=found.config,
        summary={name: value for name, value in found.summary.items() if not name.startswith("_")},
        tags=tuple(found.tags or ()),
        sweep=_sweep(log),
        console=tuple(map(str, (found.console or [])[-_CONSOLE_LINES:])),
        started=_time(found.start_time),
        updated=_time(found.last_write),
    )


def _sweep(log: Path) -> str:
    """The sweep that a run belongs to, which the summary does not say."""
    for line in inspect(log):
        if b'"type":"run"' in line:
            return str(msgspec.json.decode(line)["run"].get("sweep_id", ""))
    return ""


def _time(text: str) -> datetime | None:
    return msgspec.convert(text, datetime) if text else None
