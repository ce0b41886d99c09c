"""The controller as a process: in the foreground, or started by whoever needs it and left alone."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from types import FrameType

from jupyter_dvmount.config import Config, load_config
from jupyter_dvmount.pipelines.jobs.database import Database, Superseded, open_database
from jupyter_dvmount.store import Conflict, StoreError, Unavailable, VersionStore, open_store

from .lease import FileLease, holder, is_held, lease_of, take
from .loop import Controller

log = logging.getLogger("jupyter_dvmount.pipelines")

LOG = "controller.log"
LOG_SIZE = 10 << 20
"""Bytes after which the log begins anew with the next controller; the old one stays as ``.1``."""
PATIENCE = 30.0
"""Seconds that a controller gets to end what it runs."""
_POLL = 0.05
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def run_controller(
    config: Config, store: VersionStore, *, once: bool = False, lease_descriptor: int | None = None
) -> None:
    """Run the pipelines of a store in this process, until nobody needs it or it is told to end.

    Parameters
    ----------
    once
        Return when nothing is left to do.
    lease_descriptor
        The lease, taken by whoever has started this process for it.

    Raises
    ------
    Conflict
        If there is a controller already.
    StoreError
        If the database cannot be used.
    """
    with open_database(config, store) as database:
        lease = lease_of(database, lease_descriptor)
        if lease_descriptor is None and not take(lease):
            raise Conflict(
                "a controller is running already", fix=f"let it work; its log is {config.state / LOG}"
            )
        with ExitStack() as stack:
            stack.callback(lease.release)
            lease.sign()
            controller = Controller(config, store, database, lease=lease, epoch=database.begin_epoch())

            def end(_number: int, _frame: FrameType | None) -> None:
                controller.end()

            for number in (signal.SIGTERM, signal.SIGINT):
                stack.callback(signal.signal, number, signal.signal(number, end))
            controller.run(once=once)


def ensure_controller(config: Config, database: Database) -> bool:
    """Have a controller run; whether one had to be started.

    It outlives its starter and ends by itself when there are no pipelines for a while.

    Parameters
    ----------
    config
        Settings of the store whose pipelines are meant.
    database
        Their database.
    """
    lease = lease_of(database)
    if not lease.take():
        return False
    passed = lease.descriptor if isinstance(lease, FileLease) else None
    if passed is None:
        lease.release()  # its process has to take it with a connection of its own
    path = config.state / LOG
    if path.exists() and path.stat().st_size > LOG_SIZE:
        path.replace(path.with_suffix(".log.1"))
    environment = {
        **os.environ,
        "DVMOUNT_STATE": os.fspath(config.state),
        "DVMOUNT_ROOT": os.fspath(config.root),
        "DVMOUNT_JOBS": config.jobs,
        "DVMOUNT_EXECUTOR": config.executor,
        "DVMOUNT_DASK": config.dask,
    }
    with path.open("ab") as output:
        arguments = [sys.executable, "-m", "jupyter_dvmount.pipelines.controller", "--detach"]
        subprocess.run(
            [*arguments, "--store", config.store, *(["--lease", str(passed)] if passed is not None else [])],
            pass_fds=[passed] if passed is not None else [],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd="/",
            start_new_session=True,
            check=False,
        )
    lease.release()
    return True


def stop_controller(database: Database, patience: float = PATIENCE) -> bool:
    """End the controller that works on a database on this machine; whether there was one.

    What it runs is killed, and run again by the next one.

    Raises
    ------
    Unavailable
        If it has not ended after ``patience`` seconds.
    """
    pid = holder(database)
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while is_held(database):
        if time.monotonic() > deadline:
            raise Unavailable(f"controller {pid} does not end", fix=f"kill -9 {pid}, which does no harm")
        time.sleep(_POLL)
    return True


def main(arguments: list[str] | None = None) -> None:
    """Run a controller, or say in one line why there is none."""
    parser = argparse.ArgumentParser(
        prog="python -m jupyter_dvmount.pipelines.controller", description=__doc__
    )
    parser.add_argument("--store", required=True, help="URL of the store")
    parser.add_argument("--detach", action="store_true", help="run in the background")
    parser.add_argument("--lease", type=int, help="descriptor of the lease, taken for this process")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format=_FORMAT, stream=sys.stderr)
    config = load_config(store=options.store)
    log.info("controller %d of %s begins", os.getpid(), config.store)
    try:
        with open_store(config.store, create=False) as store:
            run_controller(config, store, lease_descriptor=options.lease)
    except Superseded:
        log.info("another controller has taken over")
    except StoreError as error:
        log.info("no controller: %s; %s", error.message, error.fix)
