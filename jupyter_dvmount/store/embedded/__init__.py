"""The embedded engine: a version store in one directory. Its format is in ``docs/format.md``."""

from .fsck.rebuild import rebuild_embedded
from .store import open_embedded

__all__ = ["open_embedded", "rebuild_embedded"]
