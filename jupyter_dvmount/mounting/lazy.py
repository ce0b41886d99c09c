"""A manager that opens its store when needed: mounts can be listed and taken away without the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from jupyter_dvmount.config import Config
from jupyter_dvmount.store import VersionStore

from .manager import MountManager


class _OpenedWhenUsed:
    """Stands for a store until something is asked of it."""

    def __init__(self, opener: Callable[[], VersionStore]) -> None:
        self._opener = opener

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opener(), name)


def lazy_manager(config: Config, opener: Callable[[], VersionStore]) -> MountManager:
    """A manager that opens its store on first use.

    Parameters
    ----------
    config
        Where mounts appear and where their state is kept.
    opener
        Gives the store, the same one on every call; who passes it closes the store.

    Returns
    -------
    MountManager
        Unmounting and an empty list work though the store is missing, damaged or of a newer format.
    """
    return MountManager(config, cast(VersionStore, _OpenedWhenUsed(opener)))
