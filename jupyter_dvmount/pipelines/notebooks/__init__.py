"""Notebooks as the code of pipelines: frozen when they are published, run by papermill in the job."""

from .command import with_command
from .freezing import Frozen, freeze

__all__ = ["Frozen", "freeze", "with_command"]
