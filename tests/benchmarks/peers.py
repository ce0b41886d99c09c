"""What the store is measured against, each as its users run it; ``docs/benchmarks.md`` tells the settings."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from importlib import metadata
from pathlib import Path

from .harness import Command, timed

PASSPHRASE = "benchmark"


class Peer(ABC):
    """A program that keeps versions of files in a repository of its own.

    Parameters
    ----------
    place
        Directory that it may use, removed and made anew for every fresh repository.
    """

    name: str
    version_words = ("--version",)

    def __init__(self, place: Path) -> None:
        self.place = place

    @property
    def program(self) -> str | None:
        """Where it is installed, or None."""
        return shutil.which(self.name)

    def version(self) -> str:
        """What it says of itself."""
        said = subprocess.run(
            [str(self.program), *self.version_words], capture_output=True, text=True, check=True
        )
        return said.stdout.splitlines()[0] if said.stdout else ""

    def fresh(self, source: Path) -> None:
        """Begin with an empty repository that is going to take ``source``."""
        self.clean()
        self.place.mkdir(parents=True)
        self.init(source)

    def clean(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.place, ignore_errors=True)

    def held(self) -> int:
        """Bytes of the files of the repository."""
        return sum(
            (Path(directory) / name).lstat().st_size
            for directory, _, names in os.walk(self.repository)
            for name in names
        )

    @property
    def repository(self) -> Path:
        """Where it keeps what was put."""
        return self.place / "repository"

    def init(self, source: Path) -> None:  # noqa: B027 - some need none
        """Make an empty repository."""

    def next(self, source: Path) -> None:  # noqa: B027 - most need nothing
        """Make ready to put ``source`` as the next version."""

    @abstractmethod
    def put(self, source: Path) -> Command:
        """Keep a version of a directory."""

    def get(self, source: Path, target: Path) -> Command | None:
        """Write what was put of ``source`` into an empty directory, or None if it does no such thing."""
        return None

    def check(self) -> Command | None:
        """Read and verify every byte, or None if it does no such thing."""
        return None


class Dvmount(Peer):
    """Ours, with the defaults."""

    name = "dvmount"

    @property
    def program(self) -> str | None:
        """The one beside this Python."""
        return shutil.which(self.name, path=str(Path(sys.executable).parent))

    def version(self) -> str:
        return metadata.version("jupyter-dvmount")

    def init(self, source: Path) -> None:
        timed(self.command("create", "repo", "data"))

    def put(self, source: Path) -> Command:
        return self.command("put", "file", "data@master:/", "-r", "-f", source)

    def get(self, source: Path, target: Path) -> Command:
        return self.command("get", "file", "data@master:/", "-r", "-o", target)

    def check(self) -> Command:
        return self.command("fsck", "--full")

    @property
    def url(self) -> str:
        """Of its store."""
        return self.repository.as_uri()

    def command(self, *words: str | Path) -> Command:
        """Any command of it, on this store."""
        return Command((str(self.program), *words), {"DVMOUNT_STORE": self.url})


class Restic(Peer):
    """Local repository, defaults: encrypted, compression ``auto``."""

    name = "restic"
    version_words = ("version",)

    def init(self, source: Path) -> None:
        timed(self._command("init"))

    def put(self, source: Path) -> Command:
        return self._command("backup", source)

    def get(self, source: Path, target: Path) -> Command:
        return self._command("restore", "latest", "--target", target)

    def check(self) -> Command:
        return self._command("check", "--read-data")

    def _command(self, *words: str | Path) -> Command:
        settings = {"RESTIC_PASSWORD": PASSPHRASE, "RESTIC_CACHE_DIR": str(self.place / "cache")}
        return Command((str(self.program), "-q", "-r", self.repository, *words), settings)


class Borg(Peer):
    """Local repository, defaults: lz4; the kind of encryption must be chosen."""

    name = "borg"

    def init(self, source: Path) -> None:
        timed(self._command("init", "--encryption", "repokey-blake2", self.repository))

    def put(self, source: Path) -> Command:
        return self._command("create", f"{self.repository}::{source.name}", source.name, cwd=source.parent)

    def get(self, source: Path, target: Path) -> Command:
        return self._command("extract", f"{self.repository}::{source.name}", cwd=target)

    def check(self) -> Command:
        return self._command("check", "--verify-data", self.repository)

    def _command(self, *words: str | Path, cwd: Path | None = None) -> Command:
        settings = {"BORG_PASSPHRASE": PASSPHRASE, "BORG_BASE_DIR": str(self.place / "base")}
        return Command((str(self.program), *words), settings, cwd)


class Dvc(Peer):
    """A project without git, its cache on the same disk."""

    name = "dvc"

    @property
    def repository(self) -> Path:
        return self.place / ".dvc" / "cache"

    def init(self, source: Path) -> None:
        timed(self._command("init", "--no-scm", "--quiet"))
        for option in ("core.analytics", "core.check_update"):
            timed(self._command("config", option, "false"))
        self.next(source)

    def next(self, source: Path) -> None:
        shutil.rmtree(self.place / "data", ignore_errors=True)
        shutil.copytree(source, self.place / "data")

    def put(self, source: Path) -> Command:
        return self._command("add", "--quiet", "data")

    def _command(self, *words: str) -> Command:
        settings = {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(self.place / "site")}
        return Command((str(self.program), *words), settings, self.place)


class Cp(Peer):
    """``cp -a``, which leaves the bytes in the page cache."""

    name = "cp"

    def put(self, source: Path) -> Command:
        return Command(("cp", "-a", source, self.repository))


class CpSynced(Cp):
    """``cp -a``, then wait until they are on the disk, as every other put but that of dvc does."""

    name = "cp, sync"

    @property
    def program(self) -> str | None:
        return shutil.which("cp")

    def put(self, source: Path) -> Command:
        return Command(("sh", "-c", 'cp -a "$1" "$2" && sync -f "$2"', "sh", source, self.repository))


ALL = (Dvmount, Restic, Borg, Dvc, Cp, CpSynced)
