"""Finds libfuse 3, before the binding is imported, which would take libfuse 2 where both are installed."""

from __future__ import annotations

import ctypes

LIBRARIES = ("libfuse3.so.4", "libfuse3.so.3")
INSTALL = "sudo apt-get install -y fuse3 libfuse3-3"


def find_library() -> str | None:
    """Name of the libfuse 3 that can be loaded here, or None."""
    for name in LIBRARIES:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return name
    return None
