"""Garbage collection: mark what commits need, condemn the rest, remove it after a grace period.

The order of steps, and why it is safe beside writers, is in ``docs/format.md``, garbage collection.
"""

from .collector import collect

__all__ = ["collect"]
