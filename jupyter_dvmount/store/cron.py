"""Cron expressions, behind one function."""

from __future__ import annotations

from datetime import datetime

from .errors import Invalid

_FIELDS = 5


def next_tick(expression: str, after: datetime) -> datetime | None:
    """The first tick after a moment.

    Parameters
    ----------
    expression
        Five cron fields, or ``@hourly`` and the like.
    after
        Aware; the fields are read in its time zone.

    Returns
    -------
    datetime or None
        None if it never ticks again, as on 30 February.

    Raises
    ------
    Invalid
        If the expression is not one.
    """
    from croniter import CroniterBadDateError, CroniterError, croniter

    if not expression.startswith("@") and len(expression.split()) != _FIELDS:
        raise _illegal(expression)
    try:
        return croniter(expression, after).get_next(datetime)
    except CroniterBadDateError:
        return None
    except (CroniterError, ValueError, KeyError):
        raise _illegal(expression) from None


def _illegal(expression: str) -> Invalid:
    return Invalid(
        f"illegal cron expression {expression!r}",
        fix="write minute, hour, day, month and weekday like '0 9 * * 1', or @daily",
    )
