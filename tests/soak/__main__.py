"""Readers, mounts that come and go, branches that move, and a daemon that is killed every minute."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import click
import msgspec

from dvmount_fuse.control import Ping, Status, ask
from dvmount_fuse.layout import State, commit_directory
from jupyter_dvmount.config import Config
from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.store import StoreError, Unavailable, VersionStore, open_store

from .contents import content
from .reader import Tally

SILENT = 45.0
"""Seconds without a sign of life after which a reader hangs: the deadline of a read and a restart."""
REPOS = 6


class Soak:
    """One run below a directory."""

    def __init__(self, work: Path, readers: int, seed: int) -> None:
        self.work = work
        self.chance = random.Random(seed)
        self.catalogues = work / "catalogues"
        self.catalogues.mkdir(parents=True)
        (work / "mnt").mkdir()
        self.store: VersionStore = open_store((work / "store").as_uri())
        self.state = State(work / "state")
        self.manager = MountManager(
            Config(store=self.store.url, state=self.state.path, root=work / "mnt"), self.store
        )
        self.files: dict[str, dict[str, tuple[str, int]]] = {}
        for number in range(REPOS):
            self.store.create_repo(f"repo{number}")
            self.commit(f"repo{number}")
        self.readers = [self._start(number) for number in range(readers)]
        self.memory: list[int] = []
        self.kills = self.changes = 0
        self.trouble: list[str] = []

    def commit(self, repo: str) -> None:
        """Put some files anew; their catalogue is there before the branch shows them."""
        files = dict(self.files.get(repo, {}))
        with self.store.modify(repo, "master") as writer:
            for number in range(300 if not files else 5):
                name = f"d{number % 7}/f{self.chance.randrange(400):03}"
                size = self.chance.choice([0, 1, 300, 20_000, 20_000, 262_145, 1_500_000])
                seed = f"{repo}/{self.chance.randrange(1 << 30)}"
                writer.put(f"/{name}", content(seed, size))
                files[name] = (seed, size)
        self.files[repo] = files
        place = self.catalogues / commit_directory(repo, writer.commit.id)
        place.with_suffix(".new").write_bytes(msgspec.json.encode(files))
        place.with_suffix(".new").rename(place)

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        words = (self.work / "mnt", self.catalogues, self.work / f"tally{number}", number)
        return subprocess.Popen(
            [sys.executable, "-m", "tests.soak.reader", *map(str, words)], stdin=subprocess.PIPE
        )

    def change(self) -> None:
        """Mount, unmount, or commit something."""
        repo = f"repo{self.chance.randrange(REPOS)}"
        name = f"{repo}-{self.chance.randrange(2)}"
        mounted = {mount.name for mount in self.manager.list()}
        try:
            if self.chance.random() < 0.2:
                self.commit(repo)
            elif name in mounted and self.chance.random() < 0.6:
                self.manager.unmount(name)
            else:
                self.manager.mount(repo, "master", name=name, follow=name.endswith("1"))
            self.changes += 1
        except StoreError as error:  # a mount while the daemon is being restarted
            if not isinstance(error, Unavailable) and error.code not in {"already_exists", "conflict"}:
                self.trouble.append(f"{name}: {error.message}")

    def kill(self) -> None:
        """Kill the daemon, every third time its supervisor instead."""
        which = "supervisor" if self.kills % 3 == 2 else "daemon"
        with suppress(OSError, ValueError):
            os.kill(int((self.state.run / f"{which}.pid").read_text(encoding="ascii")), signal.SIGKILL)
        self.kills += 1

    def look(self) -> None:
        """Note the daemon's memory, and readers that hang or have ended."""
        with suppress(Unavailable):
            status = ask(self.state.socket, Ping())
            if isinstance(status, Status):
                self.memory.append(status.rss)
        for number, reader in enumerate(self.readers):
            tally = self.work / f"tally{number}"
            if reader.poll() is not None:
                self.trouble.append(f"reader {number} has ended with {reader.returncode}")
            elif tally.exists() and time.time() - tally.stat().st_mtime > SILENT:
                self.trouble.append(f"reader {number} hangs")

    def finish(self) -> list[Tally]:
        """End everything."""
        for reader in self.readers:
            reader.communicate(timeout=SILENT)
        self.manager.unmount_all()
        self.manager.stop()
        self.trouble += [str(problem) for problem in self.store.fsck(full=True)]
        self.store.close()
        tallies = [self.work / f"tally{number}" for number in range(len(self.readers))]
        return [msgspec.json.decode(tally.read_bytes(), type=Tally) for tally in tallies]


@click.command()
@click.option("--minutes", default=30.0, show_default=True)
@click.option("--readers", default=8, show_default=True)
@click.option("--kill-every", default=60.0, show_default=True, help="Seconds.")
@click.option("--seed", default=1, show_default=True)
@click.option(
    "--work", type=click.Path(path_type=Path), required=True, help="Directory that does not exist yet."
)
def main(minutes: float, readers: int, kill_every: float, seed: int, work: Path) -> None:
    """Run, and say what was seen; the exit status is 1 if anything was wrong."""
    os.environ["DVMOUNT_MODE"] = "fuse"
    soak = Soak(work, readers, seed)
    end = time.monotonic() + 60 * minutes
    next_kill = time.monotonic() + kill_every
    while time.monotonic() < end and not soak.trouble:
        soak.change()
        if time.monotonic() > next_kill:
            soak.kill()
            next_kill += kill_every
        soak.look()
        time.sleep(0.5)
    tallies = soak.finish()
    wrong = [said for tally in tallies for said in tally.wrong]
    reads, size = sum(t.reads for t in tallies), sum(t.bytes for t in tallies)
    errors: dict[str, int] = {}
    for tally in tallies:
        for name, count in tally.errors.items():
            errors[name] = errors.get(name, 0) + count
    click.echo(f"{reads:,} reads, {size / 1e9:.1f} GB; {soak.changes} changes of mounts; {soak.kills} kills")
    click.echo(f"wrong: {wrong[:5] or 'nothing'}; trouble: {soak.trouble[:5] or 'none'}; errors: {errors}")
    click.echo(f"slowest step of a reader: {max(t.slowest for t in tallies):.1f} s")
    third = max(len(soak.memory) // 3, 1)
    parts = [soak.memory[:third], soak.memory[third:-third], soak.memory[-third:]]
    said = ", ".join(f"{max(part, default=0) / 2**20:.0f}" for part in parts)
    click.echo(f"memory of the daemon, largest of each third: {said} MiB")
    if wrong or soak.trouble:
        sys.exit(1)
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
