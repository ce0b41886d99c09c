"""A controller that kills itself at the nth boundary: before and after each write to database and store."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from contextlib import contextmanager

from jupyter_dvmount.config import load_config
from jupyter_dvmount.pipelines.controller.process import run_controller
from jupyter_dvmount.pipelines.jobs.database import Database
from jupyter_dvmount.store import open_store

boundaries = itertools.count(1)


def boundary() -> None:
    if next(boundaries) == int(os.environ["DEADLINE"]):
        os.kill(os.getpid(), signal.SIGKILL)


def guarded(act):
    def call(*args, **options):
        boundary()
        result = act(*args, **options)
        boundary()
        return result

    return call


def guarded_block(open_block):
    @contextmanager
    def block(*args, **options):
        boundary()
        with open_block(*args, **options) as inner:
            yield inner
            boundary()
        boundary()

    return block


if __name__ == "__main__":
    config = load_config(store=sys.argv[sys.argv.index("--store") + 1])
    with open_store(config.store, create=False) as store:
        for name in ("start_commit", "finish_commit", "drop_commit"):
            setattr(store, name, guarded(getattr(store, name)))
        store.modify = guarded_block(store.modify)
        Database.write = guarded_block(Database.write)
        run_controller(config, store, once=True)
