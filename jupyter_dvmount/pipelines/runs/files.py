"""What trackers write about runs: a directory an attempt, kept with its job, below the state directory."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from jupyter_dvmount.mounting.checkout import discard
from jupyter_dvmount.pipelines.logs import LogKey
from jupyter_dvmount.pipelines.scrub import forms
from jupyter_dvmount.tracking import Tracker

log = logging.getLogger("jupyter_dvmount.pipelines")

CAP = 4 << 30
"""Bytes of all runs together that are kept; the oldest jobs' go first."""
_SHORTEST = 8  # bytes
_PASSABLE = 0o711  # the code of an attempt may run as another user
_NAME = re.compile(r"([0-9a-zA-Z]+)-(\d{4,})")


class RunFiles:
    """The directories of all attempts whose runs are tracked.

    Parameters
    ----------
    directory
        Where they are; made when needed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, key: LogKey) -> Path:
        """The directory of an attempt, which need not be there."""
        return self._directory / key.job / f"{key.datum}-{key.attempt:04d}"

    def free(self, key: LogKey) -> LogKey:
        """An attempt without a directory: this one, or one after it.

        An attempt whose controller was killed counts for nothing, but its run has begun, and another process
        that went on in the same run would lose its first steps.
        """
        number = key.attempt
        while self.path(LogKey(key.job, key.datum, number)).exists():
            number += 1
        return LogKey(key.job, key.datum, number)

    def open(self, key: LogKey) -> Path:
        """Make the directory of an attempt."""
        path = self.path(key)
        for each in (self._directory, path.parent):
            each.mkdir(mode=_PASSABLE, parents=True, exist_ok=True)
        path.mkdir(exist_ok=True)
        return path

    def settle(self, key: LogKey, tracker: Tracker, secrets: Iterable[bytes]) -> None:
        """After an attempt: keep what tells about runs, without caches and without the values of secrets.

        Parameters
        ----------
        tracker
            Which has written it.
        secrets
            The values; what is too short to be a secret is left, since it may be part of anything.
        """
        path = self.path(key)
        values = forms(value for value in secrets if len(value) >= _SHORTEST)
        try:
            for each in [*path.iterdir()] if path.is_dir() else []:
                if each.name != tracker.run_directory:
                    _remove(each)
            tracker.mask(path, values)
        except OSError as error:
            log.warning("cannot tidy %s: %s", error.filename, error.strerror)
        with suppress(OSError):
            path.rmdir()  # fails, and should, unless it is empty

    def of_job(self, job: str) -> list[tuple[LogKey, Path]]:
        """The attempts of a job that have a directory, in the order in which these were made."""
        with suppress(FileNotFoundError):
            found = [(each, _NAME.fullmatch(each.name)) for each in (self._directory / job).iterdir()]
            keys = [(LogKey(job, match[1], int(match[2])), path) for path, match in found if match]
            return sorted(keys, key=lambda pair: _made(pair[1]))
        return []

    def delete(self, job: str) -> None:
        """Remove those of a job."""
        _remove(self._directory / job)

    def sweep(self, *, spare: Collection[str], cap: int = CAP) -> None:
        """Remove the directories of the oldest jobs, but for some, until the rest is not too large."""
        with suppress(FileNotFoundError):
            jobs = sorted(self._directory.iterdir(), key=_made)
            sizes = {each: _size(each) for each in jobs}
            left = sum(sizes.values())
            for each in jobs:
                if left > cap and each.name not in spare:
                    log.info("removing the runs of %s to make room", each.name)
                    _remove(each)
                    left -= sizes[each]


def _made(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _size(directory: Path) -> int:
    total = 0
    for base, _, names in os.walk(directory):
        for name in names:
            with suppress(OSError):
                total += os.lstat(f"{base}/{name}").st_size
    return total


def _remove(directory: Path) -> None:
    try:
        if directory.is_dir() and not directory.is_symlink():
            discard(directory)
        else:
            directory.unlink(missing_ok=True)
    except OSError as error:
        log.warning("cannot remove %s: %s", error.filename, error.strerror)
