"""What works here, as the panel's health strip shows it."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import version

import msgspec
from msgspec.structs import replace

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
    used = services.has_used(config.store)
    opened = services.opened
    if opened is None and used:
        with suppress(StoreError):  # the checks say why
            opened = services.peek()
    checks = diagnose(config, opened.store if opened else None)
    if opened is None and used:
        checks = [_lost(check) for check in checks]
    return Health(
        store_url=without_secrets(config.store),
        mount_root=str(config.root),
        checks=[check for check in checks if check.id != _ANSWERING],
    )


def _lost(check: Check) -> Check:
    """A store that was there is missing, where one that never was would just be made."""
    if check.id != "store" or check.status != "ok":
        return check
    return replace(
        check,
        status="missing",
        detail="the store that this server has used is gone",
        fix="bring its disk or directory back; or restart the server to begin with an empty store",
    )
