"""When a cron input ticks: cron expressions, and two words of our own."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from jupyter_dvmount.store import Invalid, cron
from jupyter_dvmount.units import seconds

NEVER = "@never"
"""Expression of an input that ticks only when somebody says so."""
_EVERY = "@every "


def next_tick(expression: str, after: datetime) -> datetime | None:
    """The first tick after a moment.

    Parameters
    ----------
    expression
        Five cron fields, ``@hourly`` and the like, ``@every 1h30m`` or ``@never``.
    after
        Aware; the fields are read in its time zone. ``@every`` counts from it.

    Returns
    -------
    datetime or None
        None if it never ticks again.

    Raises
    ------
    Invalid
        If the expression is not one.
    """
    expression = expression.strip()
    if expression == NEVER:
        return None
    if expression.startswith(_EVERY):
        interval = seconds(expression.removeprefix(_EVERY).strip())
        if interval < 1:
            raise Invalid(f"illegal interval in {expression!r}", fix="use at least one second: @every 1s")
        return after + timedelta(seconds=interval)
    return cron.next_tick(expression, after)


def start_time(text: str) -> datetime | None:
    """The moment that an RFC 3339 text means, or None for an empty one.

    Raises
    ------
    Invalid
        If it is none, or has no time zone.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(re.sub(r"[zZ]\Z", "+00:00", text.strip()))
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise Invalid(f"illegal time {text!r}", fix="write it like 2026-01-31T09:00:00Z")
    return moment
