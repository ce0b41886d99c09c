"""Run something several times and note what it took: wall and CPU seconds, memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from .results import Row, Sample

_LAUNCH = Path(__file__).with_name("launch.py")
DROP_CACHES = Path("/proc/sys/vm/drop_caches")
LONG = 30.0
"""What takes longer, in seconds, is run three times and not five."""
MANY, FEW = 5, 3


class Command(msgspec.Struct, frozen=True):
    """A program to run.

    Parameters
    ----------
    argv
        Its arguments, the program first.
    env
        Variables beside those of this process.
    cwd
        Where it runs; here if None.
    """

    argv: Sequence[str | Path]
    env: Mapping[str, str] = {}
    cwd: Path | None = None


class CommandFailed(Exception):
    """A program under measurement ended with an error."""


def timed(command: Command) -> Sample:
    """Run a program to its end; its children count with it.

    Raises
    ------
    CommandFailed
        With the end of what it printed.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as report:
        launcher = [sys.executable, "-I", "-S", str(_LAUNCH), str(report.fileno())]
        subprocess.run(
            [*launcher, *map(str, command.argv)],
            env={**os.environ, **command.env},
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[report.fileno()],
            check=False,
        )
        report.seek(0)
        wall, cpu, rss, code = report.read().split() or (b"0", b"0", b"0", b"not started")
        if code != b"0":
            output.seek(0)
            said = output.read()[-2000:].decode(errors="replace")
            raise CommandFailed(f"{command.argv[0]} ended with {code.decode()}: {said}")
    return Sample(float(wall), cpu=float(cpu), rss=int(rss) << 10)


def timed_call(function: Callable[[], object]) -> Sample:
    """Call a function; the CPU seconds are those of this process and of its children that have ended."""
    before = _cpu_seconds()
    start = time.perf_counter()
    function()
    wall = time.perf_counter() - start
    return Sample(wall, cpu=_cpu_seconds() - before)


def _cpu_seconds() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def warm(place: Path) -> None:
    """Read every file below a directory, so that all programs find it in the page cache."""
    buffer = bytearray(1 << 20)
    for directory, _, names in os.walk(place):
        for name in names:
            with (Path(directory) / name).open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass


def drop_caches() -> bool:
    """Make the next reads cold; returns whether this machine lets us."""
    os.sync()
    try:
        DROP_CACHES.write_text("3\n")
    except OSError:
        return False
    return True


class Harness:
    """Collects the rows of one run.

    Parameters
    ----------
    work
        Directory for everything that is made; on the disk that is measured.
    scale
        Part of the full data that is used.
    samples
        How often each thing is run, or None for the rule of five, three where it takes long.
    report
        Told each row when it is complete.
    """

    def __init__(
        self, work: Path, *, scale: float = 1.0, samples: int | None = None, report: Callable[[Row], None]
    ) -> None:
        self.work = work
        self.scale = scale
        self.rows: list[Row] = []
        self.versions: dict[str, str] = {}
        self._samples = samples
        self._report = report

    def measure(
        self,
        work: str,
        peer: str,
        subject: Command | Callable[[], object],
        *,
        prepare: Callable[[], object] = lambda: None,
        cold: bool = False,
    ) -> Row:
        """Run ``subject`` often enough and keep a row of its times.

        Parameters
        ----------
        work, peer
            What is done, and who does it: together they name the row.
        subject
            A program, or a function of this process.
        prepare
            Called before each run, outside of the time; dirty pages are written out after it.
        cold
            Drop the page cache before each run.
        """
        samples: list[Sample] = []
        note = ""
        while not samples or len(samples) < (self._samples or _enough(samples)):
            prepare()
            if not cold:
                os.sync()
            elif not drop_caches():
                note = "page cache could not be dropped"
            samples.append(timed(subject) if isinstance(subject, Command) else timed_call(subject))
        return self.add(Row(work, peer, "s", samples, note=note))

    def record(self, work: str, peer: str, unit: str, values: Sequence[float]) -> Row:
        """Keep a row of values that were measured elsewhere, such as bytes."""
        return self.add(Row(work, peer, unit, [Sample(value) for value in values]))

    def absent(self, work: str, peer: str, why: str = "absent") -> Row:
        """Keep a row that says why there is no measurement."""
        return self.add(Row(work, peer, "", [], note=why))

    def add(self, row: Row) -> Row:
        """Keep a row."""
        self.rows.append(row)
        self._report(row)
        return row


def _enough(samples: list[Sample]) -> int:
    return FEW if samples[0].value > LONG else MANY
