"""What is mounted, written down: one JSON file a mount, so that it survives every process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from dvmount_fuse.layout import State, write_atomically
from jupyter_dvmount.store import NotFound

from . import links
from .locks import exclusive
from .model import MountMode

log = logging.getLogger("jupyter_dvmount.mounting")

LOCK_PATIENCE = 30.0
"""Seconds to wait for another process that changes the records; it holds the lock for milliseconds."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A mount as it was asked for.

    Parameters
    ----------
    name, path, target, repo, branch, commit, follow, mode
        As in `Mount`.
    store, url
        Id and URL of the store.
    replaced
        Whether an empty directory stood at ``path`` before, which unmounting puts back.
    """

    name: str
    path: str
    target: str
    store: str
    url: str
    repo: str
    branch: str = ""
    commit: str
    follow: bool = False
    mode: MountMode = "fuse"
    replaced: bool = False


class Records:
    """The records of a state directory; every change happens under `lock`."""

    def __init__(self, state: State) -> None:
        self._state = state

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Exclude every other thread and process that changes records, links or checkouts."""
        with exclusive(self._state.run / "mounts.lock", patience=LOCK_PATIENCE):
            yield

    def all(self) -> list[Record]:
        """Every record, by name."""
        try:
            names = sorted(path.name for path in self._state.mounts.iterdir())
        except FileNotFoundError:
            return []
        return [record for name in names if (record := self._read(name)) is not None]

    def find(self, name: str) -> Record | None:
        """The record of a mount, by its name or the absolute path of its link."""
        wanted = str(links.place(Path(name))) if name.startswith("/") else name
        return next((record for record in self.all() if wanted in {record.name, record.path}), None)

    def get(self, name: str) -> Record:
        """The record of a mount, or `NotFound`."""
        record = self.find(name)
        if record is None:
            known = ", ".join(record.name for record in self.all())
            raise NotFound(
                f"nothing is mounted as {name!r}",
                fix=f"mounted are: {known}" if known else "nothing is mounted now",
            )
        return record

    def save(self, record: Record) -> None:
        """Write a record."""
        write_atomically(self._path(record.name), msgspec.json.encode(record), self._state.tmp)

    def delete(self, name: str) -> None:
        """Forget a record."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._state.mounts / name

    def _read(self, name: str) -> Record | None:
        try:
            return msgspec.json.decode(self._path(name).read_bytes(), type=Record)
        except FileNotFoundError:
            return None  # unmounted meanwhile
        except (OSError, msgspec.DecodeError) as error:
            log.error("the record of mount %s cannot be read: %s", name, error)
            return None
