"""The OpenAPI description as the tests use it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from jsonschema import Draft202012Validator

METHODS = ("get", "post", "put", "patch", "delete", "head")


@cache
def contract() -> dict[str, Any]:
    """The whole document."""
    return yaml.safe_load((files("jupyter_dvmount.server") / "openapi.yaml").read_text(encoding="utf-8"))


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Route, method and operation of everything that is described."""
    for route, item in contract()["paths"].items():
        for method, operation in item.items():
            yield route, method.upper(), operation


def parameters(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Query parameters by name."""
    found = [resolve(parameter) for parameter in operation.get("parameters", [])]
    return {parameter["name"]: parameter for parameter in found}


def body_schema(operation: dict[str, Any]) -> dict[str, Any] | None:
    """Schema of the request's body."""
    if "requestBody" not in operation:
        return None
    return resolve(operation["requestBody"]["content"]["application/json"]["schema"])


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference within the document."""
    while "$ref" in node:
        target: Any = contract()
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def check_answer(route: str, method: str, status: int, body: Any) -> None:
    """Fail unless the answer is one that the document promises."""
    known = contract()["paths"].get(route, {}).get(method.lower())
    responses = known["responses"] if known else {}
    found = responses.get(str(status)) or (responses.get("default") if status >= 400 else None)
    if known and found is None:
        raise AssertionError(f"{method} {route} answers {status}, which is not described")
    response = resolve(found) if found else contract()["components"]["responses"]["Error"]
    if "content" not in response:
        assert body is None
        return
    schema = response["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": contract()["components"]}).validate(body)
