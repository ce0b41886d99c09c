"""From plain values to records: names in either spelling, unknown ones refused, types checked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from jupyter_dvmount.store import Invalid

from .model import IGNORED, PipelineSpec

Warn = Callable[[str], None]
"""Told of each field that has no effect, in a sentence for people."""

_QUOTABLE = ("expected str, got int", "expected str, got float", "expected str, got bool")


def to_spec(value: Any, warn: Warn) -> PipelineSpec:
    """A document as a spec that has the right fields with values of the right types.

    Raises
    ------
    Invalid
        If a field is unknown, missing or of the wrong type; the message has its path.
    """
    named = _rename(value, inspect.type_info(PipelineSpec), "", warn)
    try:
        # Not strict: JSON made from protocol buffers has its 64-bit integers as strings.
        return msgspec.convert(named, PipelineSpec, strict=False)
    except msgspec.ValidationError as error:
        raise _wrong_type(str(error)) from None


def _rename(value: Any, kind: inspect.Type, path: str, warn: Warn) -> Any:
    """The value with the names of its records' fields in snake_case and without nulls."""
    if isinstance(kind, inspect.Metadata):
        reason = (kind.extra or {}).get(IGNORED)
        if reason is None:
            return _rename(value, kind.type, path, warn)
        if value:
            warn(f"{path} has no effect: {reason}")
        return value
    if isinstance(kind, inspect.UnionType):
        records = [each for each in kind.types if isinstance(each, inspect.StructType)]
        return _rename(value, records[0], path, warn) if records and isinstance(value, dict) else value
    if isinstance(kind, inspect.VarTupleType) and isinstance(value, list):
        return [_rename(each, kind.item_type, f"{path}[{index}]", warn) for index, each in enumerate(value)]
    if isinstance(kind, inspect.StructType) and isinstance(value, dict):
        return _rename_fields(value, kind, path, warn)
    return value


def _rename_fields(value: dict[Any, Any], kind: inspect.StructType, path: str, warn: Warn) -> dict[str, Any]:
    fields = {field.name: field for field in kind.fields}
    spellings = _spellings(tuple(fields))
    found: dict[str, Any] = {}
    for key, each in value.items():
        here = f"{path}.{key}" if path else str(key)
        name = spellings.get(key)
        if name is None:
            raise _unknown(here, str(key), spellings)
        if name in found:
            raise Invalid(f"{here} is there in both spellings", fix=f"write {name!r} once")
        if each is not None:
            found[name] = _rename(each, fields[name].type, here, warn)
    for field in fields.values():
        if field.required and field.name not in found:
            here = f"{path}.{field.name}" if path else field.name
            raise Invalid(f"{here} is missing", fix="add it")
    return found


@cache
def _spellings(names: tuple[str, ...]) -> dict[str, str]:
    """Both spellings of each name, with the name."""
    return {_camel(name): name for name in names} | {name: name for name in names}


def _camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


def _unknown(path: str, key: str, spellings: dict[str, str]) -> Invalid:
    near = difflib.get_close_matches(key, spellings, n=1)
    names = sorted(set(spellings.values()))
    return Invalid(
        f"unknown field {path}",
        fix=f"did you mean {near[0]!r}?" if near else f"the fields there are {', '.join(names)}",
    )


def _wrong_type(message: str) -> Invalid:
    """msgspec's ``Expected `str`, got `int` - at `$.input.pfs.glob` `` in our own form."""
    what, _, place = message.partition(" - at `$")
    path = place.rstrip("`").lstrip(".").replace("[...]", "[value]") or "the spec"
    what = what[:1].lower() + what[1:].replace("`", "")
    fix = "put it in quotes" if what.startswith(_QUOTABLE) else "mend its value"
    return Invalid(f"{path}: {what}", fix=fix)
