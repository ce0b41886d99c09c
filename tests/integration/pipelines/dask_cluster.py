"""A Dask scheduler and workers, as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil


class DaskCluster:
    """Everything below a directory.

    Parameters
    ----------
    root
        Where logs and the workers' files go.
    workers
        How many workers to start.
    host
        Address of the scheduler and of the workers.
    prefix
        What to start the next workers with, such as a command that enters a network namespace.
    environment
        Variables of all of them besides those of this process.
    """

    def __init__(
        self,
        root: Path,
        workers: int = 2,
        host: str = "127.0.0.1",
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.log = root / "dask.log"
        self._file = root / "at"
        self._host = host
        self._environment = {**os.environ, **(environment or {})}
        self.prefix = [*prefix]
        self.workers: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start_scheduler()
        for _ in range(workers):
            self.start_worker()

    def start_scheduler(self, port: int = 0) -> subprocess.Popen[bytes]:
        """Start a scheduler, and wait until it can be connected to."""
        self._file.unlink(missing_ok=True)
        options = ["--host", self._host, "--port", str(port), "--no-dashboard"]
        self.scheduler = self._start(["scheduler", *options, "--scheduler-file", str(self._file)])
        wait_for(lambda: self._file.exists() and self._file.stat().st_size)
        self.address: str = json.loads(self._file.read_text())["address"]
        return self.scheduler

    def restart_scheduler(self) -> None:
        """Start another one at the same address."""
        self.start_scheduler(int(self.address.rpartition(":")[2]))

    def start_worker(self, *options: str, host: str = "") -> subprocess.Popen[bytes]:
        """Start a worker with one thread, which ends with its scheduler."""
        place = ["--host", host or self._host, "--local-directory", str(self.root / "w")]
        usual = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "10"]
        worker = self._start(["worker", self.address, *usual, *place, *options], self.prefix)
        self.workers.append(worker)
        return worker

    def start_changed_worker(self, change: str) -> subprocess.Popen[bytes]:
        """Start a worker in which a line of Python has changed its module, named ``worker``."""
        file = self.root / f"change{len(self.workers)}.py"
        file.write_text(f"from jupyter_dvmount.pipelines.executors.dask import worker\n{change}\n")
        return self.start_worker("--preload", str(file))

    def alive(self) -> list[subprocess.Popen[bytes]]:
        """The workers that have not ended."""
        return [each for each in self.workers if each.poll() is None]

    def is_tidy(self) -> bool:
        """Whether no worker but those that live has a directory."""
        return len([*self.root.glob("w/*/worker-*/")]) == len(self.alive())

    def holder(self, word: str) -> subprocess.Popen[bytes]:
        """The worker below which something runs that has a word among its arguments."""
        (found,) = (each for each in self.alive() if word in _arguments_below(each.pid))
        return found

    def _start(self, command: Sequence[str], prefix: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        dask = [*prefix, sys.executable, "-m", "dask", *command]
        with self.log.open("ab") as log:
            return subprocess.Popen(dask, stdout=log, stderr=log, env=self._environment)

    def close(self) -> None:
        """End all of it."""
        for each in (*self.workers, self.scheduler):
            each.kill()
            each.wait()


def wait_for(ready: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _arguments_below(pid: int) -> str:
    found = []
    for each in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):
            found += each.cmdline()
    return " ".join(found)
