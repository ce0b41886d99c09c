"""Where attempts run: the protocol that every executor speaks, and how one is found."""

from .base import Executor, Full, open_executor

__all__ = ["Executor", "Full", "open_executor"]
