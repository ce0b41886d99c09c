"""What was measured, the targets, and the table of both."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

import msgspec

OURS = "dvmount"


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run.

    Parameters
    ----------
    value
        In the unit of the row; wall seconds in most.
    cpu
        CPU seconds, user and system, with children.
    rss
        Largest resident memory of one process, in bytes.
    """

    value: float
    cpu: float | None = None
    rss: int | None = None


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """All runs of one work by one program; none where ``note`` says why."""

    work: str
    peer: str
    unit: str
    samples: list[Sample]
    note: str = ""

    @property
    def value(self) -> float:
        """Median of the runs."""
        return median(sample.value for sample in self.samples)

    @property
    def cpu(self) -> float | None:
        """Median of the CPU seconds, where they are known."""
        known = [sample.cpu for sample in self.samples if sample.cpu is not None]
        return median(known) if known else None


class Goal(msgspec.Struct, frozen=True):
    """A target of one work: at most ``limit``, or at most ``limit`` times the best of ``peers``.

    Where a target is *three times faster than every peer*, the limit is 1/3.
    """

    work: str
    limit: float
    peers: tuple[str, ...] = ()


class Result(msgspec.Struct, frozen=True):
    """A result file."""

    machine: dict[str, str]
    versions: dict[str, str]
    scale: float
    data: dict[str, str]
    rows: list[Row]


def merged(old: Result, new: Result) -> Result:
    """A result with the rows of a newer run of some suites in place of their older ones.

    Raises
    ------
    ValueError
        If the runs were of different scale, or on different machines.
    """
    if (old.scale, old.machine) != (new.scale, new.machine):
        raise ValueError("runs of different scale or on different machines make no one table")
    renewed = {row.work for row in new.rows}
    rows = [row for row in old.rows if row.work not in renewed] + new.rows
    return Result(new.machine, {**old.versions, **new.versions}, new.scale, new.data, rows)


def machine() -> dict[str, str]:
    """What the numbers depend on."""
    cpu = re.search(r"^model name\s*: (.*)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB$", _read("/proc/meminfo"), re.MULTILINE)
    return {
        "cpu": f"{os.cpu_count()} × {cpu[1] if cpu else platform.processor()}",
        "memory": f"{int(memory[1]) / 2**20:.0f} GiB" if memory else "unknown",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"Python {platform.python_version()}",
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def table(rows: Iterable[Row], goals: Sequence[Goal]) -> str:
    """A markdown table: a line for each work, the peers with our share of their value, the target."""
    works: dict[str, dict[str, Row]] = {}
    for row in rows:
        works.setdefault(row.work, {})[row.peer] = row
    lines = ["| work | dvmount | peers (dvmount ÷ peer) | target | met |", "|---|---|---|---|---|"]
    for work, by_peer in works.items():
        ours = by_peer.get(OURS)
        mine = [goal for goal in goals if goal.work == work]
        others = ", ".join(_peer(row, ours) for peer, row in by_peer.items() if peer != OURS)
        verdicts = [_met(goal, by_peer) for goal in mine]
        targets = ", ".join(_target(goal, by_peer) for goal in mine)
        lines.append(
            f"| {work} | {_shown(ours) if ours else '—'} | {others or '—'} | {targets or '—'} "
            f"| {_verdict(verdicts)} |"
        )
    return "\n".join(lines)


def steps(rows: Iterable[Row]) -> str:
    """A markdown table of single runs: wall and CPU seconds, and memory."""
    lines = ["| step | wall | CPU | peak memory |", "|---|---|---|---|"]
    for row in rows:
        (sample,) = row.samples
        memory = "—" if sample.rss is None else amount(sample.rss, "B")
        lines.append(f"| {row.work} | {amount(sample.value, 's')} | {amount(sample.cpu, 's')} | {memory} |")
    return "\n".join(lines)


def _shown(row: Row) -> str:
    if not row.samples:
        return row.note
    cpu = f" ({amount(row.cpu, 's')} CPU)" if row.cpu is not None and row.value >= 0.01 else ""
    return f"{amount(row.value, row.unit)}{cpu}"


def _peer(row: Row, ours: Row | None) -> str:
    if not row.samples:
        return f"{row.peer}: {row.note}"
    ratio = f", **{ours.value / row.value:.2g}×**" if ours and ours.samples and row.value else ""
    return f"{row.peer} {_shown(row)}{ratio}"


def _target(goal: Goal, rows: dict[str, Row]) -> str:
    if not goal.peers:
        unit = next((row.unit for row in rows.values() if row.unit), "")
        return f"≤ {amount(goal.limit, unit)}"
    return f"≤ {goal.limit:.2g} × {' and '.join(goal.peers)}"


def _met(goal: Goal, rows: dict[str, Row]) -> bool | None:
    ours = rows.get(OURS)
    peers = [rows[peer].value for peer in goal.peers if peer in rows and rows[peer].samples]
    if ours is None or not ours.samples or (goal.peers and not peers):
        return None
    return ours.value <= goal.limit * (min(peers) if goal.peers else 1)


def _verdict(verdicts: list[bool | None]) -> str:
    if not verdicts or None in verdicts:
        return "no" if False in verdicts else "—"
    return "yes" if all(verdicts) else "**no**"


def amount(value: float | None, unit: str) -> str:
    """A number with its unit, as people read it."""
    if value is None:
        return "—"
    if unit == "s":
        return f"{value:.3g} s" if value >= 0.1 else f"{1000 * value:.2g} ms"
    if unit == "B":
        return f"{value / 1e6:,.1f} MB" if value >= 1e6 else f"{value / 1e3:.3g} kB"
    return f"{value:,.4g} {unit}".rstrip()
