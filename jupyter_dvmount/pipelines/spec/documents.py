"""Text with one or more documents in JSON, JSON with comments or YAML, as plain values.

Nothing is believed of the text: YAML is loaded without tags, duplicate keys are refused, and there is a
limit to how much a text may become, whatever anchors and nesting it uses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jupyter_dvmount.store import Invalid

MAX_CHARACTERS = 1 << 20
"""Thousands of pipelines; JSON with comments is read at about 100,000 characters a second."""
MAX_VALUES = 200_000
"""Values in one document; YAML's aliases count as often as they are used."""
MAX_DEPTH = 64
_PLACE = re.compile(r"^<string>:(\d+)")
_SPACE = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.DOTALL)


def read_documents(text: str) -> list[Any]:
    """The values that a text holds; the items of a document that is a list count as documents.

    A text that starts with a brace, a bracket or a ``//`` comment is JSON with comments, else YAML.

    Raises
    ------
    Invalid
        If it is neither, holds nothing, or too much.
    """
    if len(text) > MAX_CHARACTERS:
        raise Invalid(f"{len(text)} characters are too many for a spec", fix=f"use at most {MAX_CHARACTERS}")
    text = text.removeprefix("\ufeff")
    start = _skip(text, 0)
    try:
        values = list(_json(text, start) if text[start : start + 1] in {"{", "["} else _yaml(text))
    except RecursionError:
        raise _too_much() from None
    documents = [item for value in values for item in (value if isinstance(value, list) else [value])]
    if not documents:
        raise Invalid(
            "there is no spec in it", fix="write one, at least with 'pipeline', 'transform' and 'input'"
        )
    return documents


def _skip(text: str, start: int) -> int:
    """Past white space and comments."""
    match = _SPACE.match(text, start)
    return match.end() if match else start


def _json(text: str, start: int) -> Iterator[Any]:
    import json5

    while start < len(text):
        try:
            value, error, end = json5.parse(
                text, start=start, consume_trailing=False, allow_duplicate_keys=False
            )
        except ValueError as failure:
            raise Invalid(f"not JSON: {failure}", fix="mend it") from None
        if error is not None:
            place = _PLACE.sub(r"line \1:", error)
            raise Invalid(f"not JSON: {place}", fix="mend that place")
        yield value
        start = _skip(text, end)


def _yaml(text: str) -> Iterator[Any]:
    import yaml

    try:
        yield from (value for value in yaml.load_all(text, Loader=_loader()) if value is not None)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise Invalid(f"not YAML: {where}{error.problem}", fix="mend that place") from None
    except (yaml.YAMLError, ValueError) as error:
        raise Invalid(f"not YAML: {str(error).splitlines()[0]}", fix="mend it") from None


def _loader() -> Any:
    """PyYAML's safe loader, which refuses duplicate keys and leaves times as they are written."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key, _ in node.value:
                if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key.value!r} is there twice", key.start_mark
                    )
                seen.add(key.value if isinstance(key.value, str) else id(key))
            return super().construct_mapping(node, deep)

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader


def check_size(value: Any) -> None:
    """Raise `Invalid` for a value that would take long to look at, or for ever."""
    left = MAX_VALUES
    stack = [(value, 0)]
    while stack:
        value, depth = stack.pop()
        left -= 1
        if left < 0 or depth > MAX_DEPTH:
            raise _too_much()
        if isinstance(value, dict):
            stack.extend((each, depth + 1) for each in value.values())
        elif isinstance(value, list):
            stack.extend((each, depth + 1) for each in value)


def _too_much() -> Invalid:
    return Invalid(
        "the spec is nested too deeply or too large",
        fix=f"use at most {MAX_DEPTH} levels and {MAX_VALUES} values",
    )
