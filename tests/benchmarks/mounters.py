"""How each program shows what it was given as a file system."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

from dvmount_fuse.control import Ping, Status, ask
from dvmount_fuse.endpoint import clean
from dvmount_fuse.layout import State

from .harness import timed
from .peers import PASSPHRASE, Borg, Dvmount, Peer, Restic

PATIENCE = 120.0
"""Seconds that a mount may take to show its files."""


class Mounter(ABC):
    """A program that shows a directory that was given to it.

    Parameters
    ----------
    place
        Directory that it may use.
    """

    name: str

    def __init__(self, place: Path) -> None:
        self.place = place
        self.mountpoint = place / "mnt"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def available(self) -> bool:
        """Whether it is installed."""

    def version(self) -> str:
        """What it says of itself."""
        return ""

    @abstractmethod
    def take(self, source: Path) -> None:
        """Make ready to show a directory."""

    @abstractmethod
    def up(self) -> Path:
        """Mount; returns the directory that shows the files, once it lists them."""

    @abstractmethod
    def down(self) -> None:
        """Unmount."""

    def rss(self) -> int | None:
        """Resident memory in bytes of what serves the mount."""
        if self._process is None:
            return None
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _start(self, argv: list[str | Path], env: dict[str, str], shown: Path) -> Path:
        self.mountpoint.mkdir(parents=True, exist_ok=True)
        with (self.place / "log").open("ab") as log:
            self._process = subprocess.Popen(
                list(map(str, argv)), env={**os.environ, **env}, stdout=log, stderr=log
            )
        _wait_for_files(shown)
        return shown

    def _end(self) -> None:
        clean(self.mountpoint)
        if self._process is not None:
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


class Native(Mounter):
    """The files themselves on the local disk."""

    name = "native disk"
    available = True

    def take(self, source: Path) -> None:
        self.mountpoint = source

    def up(self) -> Path:
        return self.mountpoint

    def down(self) -> None:
        pass


class FromPeer(Mounter):
    """What `Peer` has put."""

    kind: type[Peer]

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.peer = self.kind(place / "peer")

    @property
    def available(self) -> bool:
        return self.peer.program is not None

    def version(self) -> str:
        return self.peer.version()

    def take(self, source: Path) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        self.source = source
        self.peer.fresh(source)
        timed(self.peer.put(source))

    def down(self) -> None:
        self._end()


class DvmountMount(FromPeer):
    """``dvmount mount``, its two processes started anew with every mount."""

    name = "dvmount"
    peer: Dvmount
    kind = Dvmount

    def _dvmount(self, *words: str) -> None:
        self.state = State(self.place / "state")
        settings = {
            "DVMOUNT_STATE": str(self.state.path),
            "DVMOUNT_ROOT": str(self.mountpoint),
            "DVMOUNT_MODE": "fuse",
        }
        command = self.peer.command(*words)
        env = {**os.environ, **command.env, **settings}
        subprocess.run(list(map(str, command.argv)), env=env, check=True, capture_output=True)

    def up(self) -> Path:
        self._dvmount("mount", "data@master")
        shown = self.mountpoint / "data"
        _wait_for_files(shown)
        return shown

    def down(self) -> None:
        self._dvmount("unmount", "--all")
        for which in ("supervisor", "daemon"):
            _end_process(self.state.run / f"{which}.pid")
        clean(self.state.fs)

    def rss(self) -> int | None:
        status = ask(self.state.socket, Ping())
        return status.rss if isinstance(status, Status) else None


class Rclone(Mounter):
    """``rclone mount`` of the local directory, defaults."""

    name = "rclone"
    options: tuple[str, ...] = ()

    @property
    def available(self) -> bool:
        return any((Path(place) / "rclone").exists() for place in os.get_exec_path())

    def version(self) -> str:
        said = subprocess.run(["rclone", "version"], capture_output=True, text=True, check=True)
        return said.stdout.splitlines()[0]

    def take(self, source: Path) -> None:
        self.shown: str | Path = source
        self.place.mkdir(parents=True, exist_ok=True)

    def up(self) -> Path:
        words = ["rclone", "mount", "--read-only", *self.options, self.shown, self.mountpoint]
        return self._start(words, self.settings, self.mountpoint)

    @property
    def settings(self) -> dict[str, str]:
        """Variables of its environment."""
        return {"RCLONE_CONFIG": str(self.place / "rclone.conf"), "XDG_CACHE_HOME": str(self.place / "cache")}

    def down(self) -> None:
        self._end()


class ResticMount(FromPeer):
    """``restic mount``, defaults."""

    name = "restic"
    kind = Restic

    def up(self) -> Path:
        words = ["restic", "-r", self.peer.repository, "mount", self.mountpoint]
        settings = {"RESTIC_PASSWORD": PASSPHRASE, "RESTIC_CACHE_DIR": str(self.peer.place / "cache")}
        return self._start(words, settings, self.mountpoint / "snapshots/latest" / str(self.source)[1:])


class BorgMount(FromPeer):
    """``borg mount`` of the archive, defaults."""

    name = "borg"
    kind = Borg

    def up(self) -> Path:
        archive = f"{self.peer.repository}::{self.source.name}"
        settings = {"BORG_PASSPHRASE": PASSPHRASE, "BORG_BASE_DIR": str(self.peer.place / "base")}
        words = ["borg", "mount", "--foreground", archive, self.mountpoint]
        return self._start(words, settings, self.mountpoint / self.source.name)


ALL = (DvmountMount, Native, Rclone, ResticMount, BorgMount)


def _wait_for_files(shown: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if any(shown.iterdir()):
                return
        except OSError:
            pass
        time.sleep(0.002)
    raise TimeoutError(f"nothing to be seen at {shown} after {PATIENCE:.0f} s")


def _end_process(pid_file: Path) -> None:
    """End what a run has started, and wait for it."""
    try:
        process = os.pidfd_open(int(pid_file.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
        select.select([process], [], [], PATIENCE)
    except ProcessLookupError:
        pass
    finally:
        os.close(process)
