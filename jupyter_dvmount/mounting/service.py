"""The manager's side of the daemon: bring it up through its supervisor, ask it, and never hang on it."""

from __future__ import annotations

import fcntl
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import BinaryIO

from dvmount_fuse.control import Done, Failed, Ping, Resolve, Status, Stop, ask
from dvmount_fuse.endpoint import clean, mounted_device
from dvmount_fuse.layout import State, commit_directory
from jupyter_dvmount.store import StoreError, Unavailable

from .locks import exclusive, heritable, is_held

log = logging.getLogger("jupyter_dvmount.mounting")

START_PATIENCE = 20.0
"""Seconds that a daemon gets to come up; on a slow disk Python alone takes several."""
RESOLVE_PATIENCE = 60.0
"""Seconds that reading the metadata of a commit may take."""
LOOK_PATIENCE = 10.0
"""Seconds that the kernel may take to show a commit that the daemon has ready."""
STUCK = 30.0
"""Seconds after which a read that has not ended is reported."""
SUPERVISOR = "jupyter_dvmount.mounting.supervisor"
"""Python module of the supervisor."""
LOG_SIZE = 1 << 20
"""Bytes after which the next process begins its log anew."""
_PAUSE = 0.01
_DETACHED = ("/bin/sh", "-c", '"$@" &', "sh")
"""Before the words of a command: it belongs to nobody then, so that no parent has to wait for it."""


class FuseRefused(Unavailable):
    """The daemon came up and could not mount: the kernel or the container forbids it."""


class Service:
    """The daemon and the supervisor of a state directory.

    Parameters
    ----------
    state
        The state directory; prepared.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def failure(self) -> Path:
        """File in which the supervisor says why the daemon does not start."""
        return self._state.run / "failure"

    @property
    def wanted(self) -> Path:
        """File whose age tells the supervisor that somebody is waiting for the daemon."""
        return self._state.run / "wanted"

    def status(self) -> Status | None:
        """What the daemon says of itself, or None if it does not answer."""
        try:
            answer = ask(self._state.socket, Ping())
        except Unavailable:
            return None
        return answer if isinstance(answer, Status) else None

    def trouble(self) -> str:
        """Why mounts cannot be read now, or nothing; answers within seconds whatever the daemon does."""
        status = self.status()
        if status is None or not status.mounted:
            return (
                f"the mount daemon does not answer; it is being restarted (log: {self._state.run}/daemon.log)"
            )
        if status.busy > STUCK:
            return f"the mount daemon has been busy with one read for {status.busy:.0f} s"
        return ""

    def supervise(self) -> None:
        """Start the supervisor if there is none."""
        self._launch(self._is_missing)
        deadline = time.monotonic() + START_PATIENCE
        while self._is_missing():
            if time.monotonic() > deadline:
                raise self._not_started(f"nothing of it after {START_PATIENCE:.0f} s")
            time.sleep(_PAUSE)

    def expect(self) -> None:
        """Have the daemon up by the time that somebody waits for it; does not wait itself."""
        self._wish(anew=False)
        self._launch(self._is_missing)

    def look_after(self) -> None:
        """Start the supervisor if it was killed; who ends in order leaves nothing mounted."""
        self._launch(self._is_orphaned)

    def _is_missing(self) -> bool:
        return not is_held(self._supervisor_lock)

    def _is_orphaned(self) -> bool:
        return mounted_device(self._state.fs) is not None and self._is_missing()

    def _launch(self, is_due: Callable[[], bool]) -> None:
        """Start the supervisor if that is due, and nobody has started or ended it in this moment."""
        if not is_due():
            return
        with heritable(self._starting_lock, patience=2 * START_PATIENCE) as starting:
            if not is_due():
                return
            log.info("starting the supervisor of %s", self._state.path)
            words = [sys.executable, "-m", SUPERVISOR, "--state", os.fspath(self._state.path)]
            try:
                with open_log(self._state.run / "supervisor.log") as output:
                    subprocess.run(
                        [*_DETACHED, *words, "--starting", str(starting)],
                        cwd="/",
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=output,
                        start_new_session=True,
                        pass_fds=[starting],
                        timeout=START_PATIENCE,
                        check=True,
                    )
            except (OSError, subprocess.SubprocessError) as error:
                raise self._not_started(str(error)) from error

    @property
    def _supervisor_lock(self) -> Path:
        return self._state.run / "supervisor.lock"

    @property
    def _starting_lock(self) -> Path:
        """Held by who starts or ends the supervisor, and by the supervisor until it has its own."""
        return self._state.run / "starting.lock"

    def _not_started(self, why: str) -> Unavailable:
        return Unavailable(
            f"the supervisor of the mounts did not start: {why}",
            fix=f"look into {self._state.run}/supervisor.log",
        )

    def start(self) -> None:
        """Wait until the daemon has mounted.

        Raises
        ------
        FuseRefused
            If it may not mount here.
        Unavailable
            If it does not come up in time.
        """
        self._wish(anew=True)
        deadline = time.monotonic() + START_PATIENCE
        while time.monotonic() < deadline:
            self._wish(anew=False)
            self.supervise()
            status = self.status()
            if status is not None and status.mounted:
                return
            with suppress(FileNotFoundError):
                raise FuseRefused(
                    f"mounting does not work here: {self.failure.read_text(encoding='utf-8').strip()}",
                    fix="dvmount doctor tells what is missing; DVMOUNT_MODE=checkout copies files instead",
                )
            time.sleep(_PAUSE)
        raise Unavailable(
            f"the mount daemon did not come up within {START_PATIENCE:.0f} s",
            fix=f"look into {self._state.run}/daemon.log",
        )

    def is_awaited(self, lately: float) -> bool:
        """Whether somebody waits for the daemon, or has done so in the last seconds."""
        try:
            with self.wanted.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return time.time() - os.fstat(file.fileno()).st_mtime < lately
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Keep the supervisor from ending the daemon, however long its answer takes."""
        self._wish(anew=False)
        with self.wanted.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            try:
                yield
            finally:
                self._wish(anew=False)

    def need(self) -> None:
        """Keep daemon and supervisor from ending for want of mounts, for `supervisor.IDLE` seconds."""
        self._wish(anew=False)
        self.supervise()

    def _wish(self, *, anew: bool) -> None:
        """Tell the supervisor that somebody waits; ``anew`` forgets why it failed the last time."""
        try:
            if anew:
                self.failure.unlink(missing_ok=True)
            self.wanted.touch()
        except OSError as error:
            raise Unavailable(
                f"cannot write to {self._state.run}: {error.strerror}",
                fix="see to the disk and its permissions",
            ) from error

    def show(self, store: str, repo: str, commit: str) -> Path:
        """Directory in which a commit can be read, once it really can.

        Raises
        ------
        StoreError
            If the daemon cannot show it.
        """
        with self._waiting():
            return self._show(store, repo, commit)

    def _show(self, store: str, repo: str, commit: str) -> Path:
        self.start()
        directory = commit_directory(repo, commit)
        answer = ask(self._state.socket, Resolve(store=store, directory=directory), timeout=RESOLVE_PATIENCE)
        if isinstance(answer, Failed):
            raise _revived(answer)
        if not isinstance(answer, Done):
            raise Unavailable("the mount daemon gave an answer that was not asked for")
        target = self._state.fuse_target(store, repo, commit)
        if not _is_visible(target):
            raise Unavailable(
                f"the mount daemon shows the commit, but {target} cannot be read from this process",
                fix="the daemon runs in another container or namespace: set DVMOUNT_STATE to a directory "
                "of this one",
            )
        return target

    def stop(self) -> None:
        """End the supervisor and with it the daemon; records and links stay."""
        with exclusive(self._starting_lock, patience=2 * START_PATIENCE):
            self._end_supervisor()
            with exclusive(self._supervisor_lock, patience=START_PATIENCE):
                with suppress(Unavailable):
                    ask(self._state.socket, Stop())  # a daemon whose supervisor was killed
                with exclusive(self._state.run / "daemon.lock", patience=START_PATIENCE):
                    clean(self._state.fs)
                    log.info("the daemon and the supervisor of %s have ended", self._state.path)

    def _end_supervisor(self) -> None:
        with suppress(OSError, ValueError):
            pid = int((self._state.run / "supervisor.pid").read_text(encoding="ascii"))
            process = os.pidfd_open(pid)
            try:
                if SUPERVISOR.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    signal.pidfd_send_signal(process, signal.SIGTERM)
                    select.select([process], [], [], START_PATIENCE)
            finally:
                os.close(process)


def open_log(path: Path) -> BinaryIO:
    """A log for a process that is being started; it begins anew when it has grown large."""
    large = path.exists() and path.stat().st_size > LOG_SIZE
    return path.open("wb" if large else "ab")


def _revived(failed: Failed) -> StoreError:
    """The error that the daemon met, with its own kind."""
    kind = next((kind for kind in StoreError.__subclasses__() if kind.code == failed.code), Unavailable)
    return kind(failed.message, fix=failed.fix)


def _is_visible(target: Path) -> bool:
    """Whether the kernel shows a directory, asked from a thread that may be left behind stuck."""
    seen: list[bool] = []
    thread = Thread(target=lambda: seen.append(target.is_dir()), daemon=True)
    thread.start()
    thread.join(LOOK_PATIENCE)
    return seen == [True]
