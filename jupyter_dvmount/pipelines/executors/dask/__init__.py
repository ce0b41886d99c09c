"""The executor for more than one machine: batches are tasks of Dask, and agents run on its workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jupyter_dvmount.config import Config
from jupyter_dvmount.pipelines.executors.base import Executor
from jupyter_dvmount.pipelines.secrets import SecretStore
from jupyter_dvmount.store import Invalid

EXTRA = "pip install 'jupyter-dvmount[dask]'"
"""What installs all that is needed, here and on the workers."""


def open_dask(config: Config, secrets: SecretStore, slots: int | None = None) -> Executor:
    """Start the executor ``dask``; as for `open_executor`.

    Raises
    ------
    Invalid
        If a package that it needs is not installed.
    """
    with _needing_packages():
        from .executor import DaskExecutor
    return DaskExecutor(config, secrets, slots)


def examine_dask(config: Config) -> str:
    """What datums would run on, in a few words.

    Raises
    ------
    Invalid
        If a package that it needs is not installed.
    StoreError
        If the scheduler cannot be used, or no worker can.
    """
    with _needing_packages():
        from .examine import examine
    return examine(config)


@contextmanager
def _needing_packages() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise Invalid(f"the executor 'dask' needs the package {error.name}", fix=EXTRA) from error
