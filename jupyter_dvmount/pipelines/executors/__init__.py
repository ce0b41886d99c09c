"""Where attempts run: the protocol that every executor speaks, and how one is found."""

from .base import Executor, Full, names, open_executor

__all__ = ["Executor", "Full", "names", "open_executor"]
