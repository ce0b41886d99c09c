"""What works here, as the panel's health strip shows it."""

from __future__ import annotations

from importlib.metadata import version

import msgspec

from jupyter_dvmount.config import load_config
from jupyter_dvmount.doctor import diagnose, without_secrets
from jupyter_dvmount.mounting.model import Check
from jupyter_dvmount.store import StoreError

from .services import Services

_ANSWERING = "server"  # this check is about a server that may not be running; here it answers


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """State of the server half.

    Parameters
    ----------
    version
        Of this package.
    store_url
        Without secrets; empty if the configuration cannot be read.
    mount_root
        Where mounts appear; empty likewise.
    checks
        What was found.
    """

    version: str = version("jupyter-dvmount")
    store_url: str = ""
    mount_root: str = ""
    checks: list[Check] = []


def examine(services: Services) -> Health:
    """Find out what works here; blocks."""
    try:
        config = load_config()
    except StoreError as error:
        found = Check(
            id="store", label="Configuration", status="missing", detail=error.message, fix=error.fix
        )
        return Health(checks=[found])
    services.refresh()
    opened = services.opened
    checks = diagnose(config, opened.store if opened else None)
    return Health(
        store_url=without_secrets(config.store),
        mount_root=str(config.root),
        checks=[check for check in checks if check.id != _ANSWERING],
    )
