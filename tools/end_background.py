"""Ends what runs in the background of a state directory, controller and mounts, for `make clean`."""

import sys
from contextlib import suppress

from jupyter_dvmount.config import load_config
from jupyter_dvmount.mounting.lazy import lazy_manager
from jupyter_dvmount.pipelines.controller.process import stop_controller
from jupyter_dvmount.pipelines.jobs.database import open_database
from jupyter_dvmount.store import NotFound, StoreError, open_store

if __name__ == "__main__":
    try:
        config = load_config()
        with (
            suppress(NotFound),
            open_store(config.store, create=False) as store,
            open_database(config, store) as jobs,
        ):
            stop_controller(jobs)
        manager = lazy_manager(config, lambda: open_store(config.store, create=False))
        manager.unmount_all()
        manager.stop()
    except StoreError as error:
        sys.exit(f"error: {error}")
