"""Versioned data as local paths in JupyterLab.

``import jupyter_dvmount as dvm`` gives what notebooks and scripts need: `open_store`, `mount`,
`unmount`, `mounts`, `pipeline`, `job`, `wandb`. Names are imported when they are first used, so that the
import is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import wandb as wandb
    from .magics import load_ipython_extension as load_ipython_extension
    from .notebook import job, mount, mounts, open_store, pipeline, unmount

__version__: str
__all__ = [
    "__version__",
    "job",
    "load_ipython_extension",
    "mount",
    "mounts",
    "open_store",
    "pipeline",
    "unmount",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":  # the reader of packages' metadata takes longer to import than all that is here
        from importlib.metadata import version

        return version("jupyter-dvmount")
    if name == "wandb":
        return import_module(".wandb", __name__)
    if name == "load_ipython_extension":
        return import_module(".magics", __name__).load_ipython_extension
    if name in __all__:
        return getattr(import_module(".notebook", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-dvmount"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from .server.app import DvmountApp

    return [{"module": "jupyter_dvmount", "app": DvmountApp}]
