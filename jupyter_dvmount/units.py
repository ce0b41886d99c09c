"""Durations and quantities as people write them in specs and on the command line."""

from __future__ import annotations

import re
from decimal import Decimal
from math import ceil

from jupyter_dvmount.store import Invalid

_SECONDS = {"ns": "1e-9", "us": "1e-6", "µs": "1e-6", "μs": "1e-6", "ms": "1e-3", "s": "1"}
_SECONDS |= {"m": "60", "h": "3600"}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_NUMBER = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?P<suffix>[a-zA-Z]{0,2}|[eE][+-]?[0-9]{1,2})\Z"
)
_DECIMAL = {"n": "1e-9", "u": "1e-6", "m": "1e-3", "": "1", "k": "1e3", "K": "1e3"}
_DECIMAL |= {letter: f"1e{3 * power}" for power, letter in enumerate("MGTPE", start=2)}
_BINARY = {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)}
_LONGEST = 64  # characters; nobody writes more, and parsing stays cheap


def seconds(text: str) -> float:
    """Seconds of a duration in Go's syntax, such as ``1h30m`` or ``250ms``; 0 for an empty one.

    Raises
    ------
    Invalid
        If it is not one.

    Notes
    -----
    The units are those of Go's ``time.ParseDuration``.
    """
    if text in {"", "0"}:
        return 0.0
    parts = _PART.findall(text) if len(text) <= _LONGEST else []
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise Invalid(f"illegal duration {text!r}", fix="write it like 90s, 5m or 1h30m")
    return float(sum(Decimal(number) * Decimal(_SECONDS[unit]) for number, unit in parts))


def quantity(value: str | float) -> Decimal:
    """The number that a Kubernetes quantity means: ``512Mi``, ``1.5G``, ``100m``, ``2``.

    Raises
    ------
    Invalid
        If it is not one.
    """
    text = str(value)
    match = _NUMBER.match(text) if len(text) <= _LONGEST else None
    if match is not None:
        number, suffix = Decimal(match["number"]), match["suffix"]
        if suffix in _BINARY:
            return number * _BINARY[suffix]
        if suffix in _DECIMAL:
            return number * Decimal(_DECIMAL[suffix])
        if suffix[:1] in {"e", "E"} and len(suffix) > 1:
            return number * Decimal(f"1{suffix}")
    raise Invalid(f"illegal quantity {text!r}", fix="write it like 0.5, 100m, 512Mi or 2G")


def size(value: str | float) -> int:
    """Bytes of a quantity, rounded up, as in ``512Mi``, ``512MiB`` or ``1MB``; 0 for an empty one."""
    return ceil(quantity(str(value).removesuffix("B"))) if value != "" else 0


def cores(value: str | float) -> float:
    """CPU cores of a quantity; 0 for an empty one."""
    return float(quantity(value)) if value != "" else 0.0
