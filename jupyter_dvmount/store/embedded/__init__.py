"""The embedded engine: a version store in one directory. Its format is in ``docs/format.md``."""

from .store import open_embedded

__all__ = ["open_embedded"]
