"""The data of a datum as local paths: through FUSE where the code can read it there, else copied."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from jupyter_dvmount.config import Config
from jupyter_dvmount.mounting.shown import Shown
from jupyter_dvmount.mounting.support import choose_mode
from jupyter_dvmount.store import CommitReader, Corrupt, FileInfo, NotFound, Unavailable, VersionStore

from .model import Datum, DatumInput
from .sandbox.plan import PFS, Bind

MOST_MOUNTS = 1000
"""Inputs of a datum above which they are copied: every one is a mount of its own, or a link."""
SLACK = 256 << 20
"""Bytes that copies leave free on the disk."""
_BLOCK = 1 << 20


class Inputs:
    """Provides data to attempts.

    Parameters
    ----------
    config
        Where the FUSE daemon's state is.
    store
        Where the data is.
    """

    def __init__(self, config: Config, store: VersionStore) -> None:
        self._store = store
        self._shown = Shown(config, store) if choose_mode() == "fuse" else None

    def provide(self, datum: Datum, root: Path, *, mount: bool) -> tuple[Bind, ...]:
        """Have the inputs of a datum readable.

        Parameters
        ----------
        datum
            What is wanted.
        root
            Directory for copies; must exist.
        mount
            Whether the code can read what only this user can.

        Raises
        ------
        StoreError
            If the data cannot be read, or there is no room to copy it.
        """
        by_name: dict[str, list[DatumInput]] = {}
        for each in sorted(datum.inputs, key=lambda each: (each.name, each.path)):
            by_name.setdefault(each.name, []).append(each)
        mount = mount and len(datum.inputs) <= MOST_MOUNTS
        binds: list[Bind] = []
        for name, inputs in by_name.items():
            if mount and self._shown is not None and not any(each.empty_files for each in inputs):
                binds += self._mounted(self._shown, inputs)
            else:
                binds.append(self._copied(name, inputs, root))
        return tuple(binds)

    def keep_up(self) -> None:
        """To be called every few seconds while data is in use."""
        if self._shown is not None:
            self._shown.keep_up()

    def _mounted(self, shown: Shown, inputs: list[DatumInput]) -> list[Bind]:
        binds: list[Bind] = []
        whole = ""
        for each in inputs:
            if whole and (whole == "/" or each.path.startswith(f"{whole}/")):
                continue  # it is in a directory that is there already
            whole = each.path if each.type == "dir" else ""
            commit = shown.directory(each.repo, each.commit)
            inner = each.path.strip("/")
            binds.append(Bind(commit / inner, f"{PFS}/{each.name}/{inner}".rstrip("/")))
        return binds

    def _copied(self, name: str, inputs: list[DatumInput], root: Path) -> Bind:
        directory = root / name
        directory.mkdir()
        for each in inputs:
            reader = self._store.read(each.repo, each.commit)
            if not each.empty_files:
                _check_room(reader, each, root)
            _Copy(reader, directory, contents=not each.empty_files).run(each.path)
        _close(directory)
        return Bind(directory, f"{PFS}/{name}")


class _Copy:
    """Copies parts of a commit to the same paths below a directory."""

    def __init__(self, reader: CommitReader, directory: Path, *, contents: bool) -> None:
        self._reader = reader
        self._directory = directory
        self._contents = contents

    def run(self, path: str) -> None:
        found = self._reader.lookup(path)
        if found is None:
            commit = self._reader.commit
            raise NotFound(f"{path} is not in {commit.repo}@{commit.id}", fix="run the pipeline again")
        if found.type == "file":
            self._copy(found)
            return
        self._local(path).mkdir(parents=True, exist_ok=True)
        for info in self._reader.walk(path):
            if info.type == "dir":
                self._local(info.path).mkdir(parents=True, exist_ok=True)
            else:
                self._copy(info)

    def _copy(self, info: FileInfo) -> None:
        path = self._local(info.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = memoryview(bytearray(min(_BLOCK, max(info.size, 1))))
        with path.open("wb") as file:
            offset = 0
            while self._contents and offset < info.size:
                got = self._reader.readinto(info, buffer[: info.size - offset], offset)
                if not got:
                    raise Corrupt(f"{info.path}: {offset} of {info.size} bytes are in the store")
                file.write(buffer[:got])
                offset += got
        path.chmod(0o444)

    def _local(self, path: str) -> Path:
        return self._directory / path.strip("/")  # store paths have no ".."


def _check_room(reader: CommitReader, wanted: DatumInput, root: Path) -> None:
    _, size = reader.usage(wanted.path)
    free = shutil.disk_usage(root).free - SLACK
    if size > free:
        raise Unavailable(
            f"input {wanted.name} has {size} bytes to be copied, and {max(free, 0)} are free below {root}",
            fix="make room, set DVMOUNT_STATE to a larger disk, or make FUSE work (dvmount doctor)",
        )


def _close(directory: Path) -> None:
    for place, _, _ in os.walk(directory, topdown=False):
        Path(place).chmod(0o555)
