"""The order of the change feed where several transactions write at once."""

from __future__ import annotations

from sqlalchemy import Connection

FEED_LOCK = "dvmount.feed_lock"
"""Key of the connection's notes with the statement that takes the lock, until it is taken."""


def lock_feed(connection: Connection) -> None:
    """Let no other transaction tell the feed until this one ends, so that numbers come in order of commits.

    Those who follow the feed ask for what is after the last number that they saw.
    """
    statement = connection.info.pop(FEED_LOCK, None)
    if statement is not None:
        connection.exec_driver_sql(statement)
