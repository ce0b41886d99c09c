"""Takes all mounts of the configured state directory away and ends what serves them, for `make clean`."""

import sys

from jupyter_dvmount.config import load_config
from jupyter_dvmount.mounting.lazy import lazy_manager
from jupyter_dvmount.store import StoreError, open_store

if __name__ == "__main__":
    try:
        config = load_config()
        manager = lazy_manager(config, lambda: open_store(config.store, create=False))
        manager.unmount_all()
        manager.stop()
    except StoreError as error:
        sys.exit(f"error: {error}")
