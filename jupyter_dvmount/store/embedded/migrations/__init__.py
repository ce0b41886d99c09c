"""Scripts that bring the tables of an older version up to date; a new catalog is made without them.

A new version needs a script in ``versions/``, its name in `schema.REVISIONS`, and the change in `schema`.
"""

from .running import upgrade

__all__ = ["upgrade"]
