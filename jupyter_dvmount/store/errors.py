"""The errors that a user may meet: one family, each with a stable code and what to do about it."""

from __future__ import annotations

from typing import ClassVar


class StoreError(Exception):
    """Base of every error a user may meet.

    Parameters
    ----------
    message
        One line: what failed and why.
    fix
        What to do about it; may be empty.

    Attributes
    ----------
    code
        Stable word that HTTP status, exit status and errno are derived from.
    """

    code: ClassVar[str] = "unavailable"

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    @property
    def line(self) -> str:
        """What failed, why, and what to do, in one line."""
        return f"{self.message}; {self.fix}" if self.fix else self.message


class NotFound(StoreError):
    """A repo, branch, commit, path or mount that does not exist."""

    code = "not_found"


class NoStore(NotFound):
    """Nothing is at a URL where a store could be made."""


class AlreadyExists(StoreError):
    """A name that is taken."""

    code = "already_exists"


class Conflict(StoreError):
    """Somebody else changed the same thing first, or a reference would be broken."""

    code = "conflict"


class Invalid(StoreError):
    """A name, path, reference or option that can never work."""

    code = "invalid"


class CommitFinished(StoreError):
    """A write to a commit that is already immutable."""

    code = "commit_finished"


class Corrupt(StoreError):
    """Stored bytes do not have the hash they are filed under."""

    code = "corrupt"


class Unavailable(StoreError):
    """The store, its disk or a service it needs cannot be used now."""

    code = "unavailable"


class Denied(StoreError):
    """Permission or credentials are missing."""

    code = "denied"
