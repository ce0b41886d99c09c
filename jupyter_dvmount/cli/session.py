"""What the commands of one invocation share: the settings and the store, opened when first needed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import click

from jupyter_dvmount.config import Config, load_config
from jupyter_dvmount.store import NoStore, NotFound, VersionStore, open_store

if TYPE_CHECKING:
    from jupyter_dvmount.mounting.manager import MountManager
    from jupyter_dvmount.pipelines.service import Pipelines


class Session:
    """One run of ``dvmount``.

    Parameters
    ----------
    store
        Value of ``--store``: a URL or the name of one in the configuration file.
    """

    def __init__(self, store: str | None = None) -> None:
        self._chosen = store
        self._open: VersionStore | None = None
        self._pipelines: Pipelines | None = None

    @cached_property
    def config(self) -> Config:
        """The resolved settings."""
        return load_config(store=self._chosen)

    def store(self, *, create: bool = False) -> VersionStore:
        """The store of this run.

        A store appears with its first repository and not before: reading from a mistyped URL must
        not leave an empty store there.
        """
        if self._open is None:
            try:
                self._open = open_store(self.config.store, create=create)
            except NoStore as error:
                fix = "'dvmount create repo NAME' makes it, or name another with --store"
                raise NotFound(error.message, fix=fix) from error
        return self._open

    def manager(self) -> MountManager:
        """The mounts of this user; a store that cannot be opened is no reason not to unmount."""
        from jupyter_dvmount.mounting.lazy import lazy_manager

        return lazy_manager(self.config, self.store)

    def pipelines(self) -> Pipelines:
        """The pipelines of the store."""
        from jupyter_dvmount.pipelines.service import Pipelines

        if self._pipelines is None:
            self._pipelines = Pipelines(self.config, self.store())
        return self._pipelines

    def close(self) -> None:
        """Release the store."""
        if self._pipelines is not None:
            self._pipelines.close()
        if self._open is not None:
            self._open.close()


pass_session = click.make_pass_decorator(Session)
