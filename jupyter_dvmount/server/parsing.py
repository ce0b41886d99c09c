"""What comes in a request, validated as a whole before anything is done with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

import msgspec

from jupyter_dvmount.store import Invalid

DEFAULT_LIMIT = 500
MAX_LIMIT = 5000
MAX_BODY = 1 << 20
"""Bytes of a body that can be meant seriously."""

Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)]
Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 62))]
"""Of a record in a long list; databases hold no larger ones."""
T = TypeVar("T")

_OF_THE_SERVER = frozenset({"token", "_xsrf", "no_track_activity"})
_CACHE_BUSTER = re.compile(r"[0-9]+\Z")  # JupyterLab puts the time of day behind its uncached requests


def parse_query(arguments: Mapping[str, Sequence[bytes]], type: type[T]) -> T:
    """Read a query string.

    Parameters
    ----------
    arguments
        Name → values, not decoded.
    type
        Struct that says what is allowed.

    Raises
    ------
    Invalid
        If something is missing, unknown, given twice, or not of its type.
    """
    given = {
        name: _only(name, values)
        for name, values in arguments.items()
        if name not in _OF_THE_SERVER and not (_CACHE_BUSTER.match(name) and values == [b""])
    }
    try:
        return msgspec.convert(given, type, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid("query", error) from None


def parse_body(body: bytes, type: type[T]) -> T:
    """Read a JSON body; `Invalid` unless it is exactly what ``type`` says."""
    if len(body) > MAX_BODY:
        raise Invalid(f"the body has {len(body)} bytes", fix=f"send at most {MAX_BODY}")
    try:
        return msgspec.json.decode(body, type=type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid("body", error) from None


def _only(name: str, values: Sequence[bytes]) -> str:
    if len(values) != 1:
        raise Invalid(f"the query has {name!r} {len(values)} times", fix="give it once")
    try:
        return values[0].decode()
    except UnicodeDecodeError:
        raise Invalid(f"the value of {name!r} in the query is not UTF-8", fix="encode it as UTF-8") from None


def _invalid(where: str, error: Exception) -> Invalid:
    return Invalid(f"illegal {where}: {error}", fix="see server/openapi.yaml, or docs/server.md")
