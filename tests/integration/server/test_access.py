"""Who may ask, and what is asked wrongly: every route is closed and answers errors as typed JSON."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from jupyter_server.auth import Authorizer

from jupyter_dvmount.server.handlers import PREFIX, ROUTES
from jupyter_dvmount.store import VersionStore
from tests.integration.server.conftest import Put, Rest
from tests.integration.server.contract import METHODS, body_schema, operations, parameters, resolve

XSRF = {"Cookie": "_xsrf=0123456789abcdef", "X-XSRFToken": "0123456789abcdef"}
VERBS = [(route, verb.upper()) for route, handler in ROUTES for verb in METHODS if verb in vars(handler)]
BODIES = [
    b"",
    b"null",
    b"[]",
    b"{",
    b"\xff\xfe",
    b'"x"',
    b'{"name": 1, "repo": [], "ref": {}}',
    b'{"name": "\\ud800", "repo": "\\ud800", "ref": "x"}',
    b'{"extra": 1, "repo": "images", "ref": "master", "name": "x"}',
    b"[" * 100_000,
    b'{"name":' * 10_000,
]
STRINGS = [
    "",
    ".",
    "..",
    "/",
    "../../etc/passwd",
    "/etc/passwd",
    "a/../../b",
    "a/b/c",
    "a\0b",
    "a\nb",
    " ",
    "~",
    "-",
    "--help",
    "%00",
    "%2e%2e%2f",
    "images@master",
    "'; DROP TABLE repos; --",
    '"',
    "*",
    "?",
    "ä" * 200,
    "x" * 300,
    "x/" * 3000,
    "\u202e",
    "🐈",
    "master^^^^^^",
    "master~99999999999999999999",
    "master.0",
    "0" * 32,
    "null",
    "true",
    "1e400",
    "-1",
    "0",
    "5001",
    "99999999999999999999",
    "NaN",
]

SOUND = {"repo": "images", "ref": "master", "branch": "master", "name": "x", "path": "/"}


class DenyAll(Authorizer):
    """Lets nobody do anything with versioned data."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return resource != "dvmount"


async def _ask(client: Any, base: str, route: str, verb: str, headers: dict[str, str]) -> tuple[int, Any]:
    answer = await client.fetch(
        f"{base.rstrip('/')}{route}",
        method=verb,
        headers=headers,
        body="{}" if verb in {"POST", "PATCH"} else None,
        allow_nonstandard_methods=True,
        raise_error=False,
    )
    return answer.code, json.loads(answer.body)


@pytest.mark.parametrize("headers", [XSRF, {**XSRF, "Authorization": "token wrong"}, {}])
async def test_nobody_gets_in_without_a_token(
    http_server_client: Any, jp_base_url: str, headers: dict[str, str]
) -> None:
    assert VERBS
    for route, verb in [*VERBS, (f"{PREFIX}/unknown", "GET"), (PREFIX, "POST")]:
        status, error = await _ask(http_server_client, jp_base_url, route, verb, headers)
        assert (status, error["code"]) == (403, "denied"), (route, verb)


@pytest.fixture
def denied(jp_server_config: dict[str, Any]) -> None:
    jp_server_config["ServerApp"]["authorizer_class"] = DenyAll


async def test_nobody_gets_in_against_the_authorizer(
    denied: None, http_server_client: Any, jp_base_url: str, jp_auth_header: dict[str, str]
) -> None:
    for route, verb in VERBS:
        status, error = await _ask(http_server_client, jp_base_url, route, verb, jp_auth_header)
        assert (status, error["code"]) == (403, "denied"), (route, verb)
        assert "dvmount" in error["message"]


async def test_a_page_of_another_site_cannot_write(
    http_server_client: Any, jp_base_url: str, jp_serverapp: Any, store: VersionStore
) -> None:
    token = jp_serverapp.identity_provider.token
    page = await http_server_client.fetch(f"{jp_base_url}api/status?token={token}")
    cookies = "; ".join(value.partition(";")[0] for value in page.headers.get_list("Set-Cookie"))
    assert cookies, "the browser is not logged in"
    for route, verb in VERBS:
        if verb != "GET":
            status, error = await _ask(http_server_client, jp_base_url, route, verb, {"Cookie": cookies})
            assert (status, error["code"]) == (403, "denied"), (route, verb)
    assert list(store.list_repos()) == []


async def test_other_methods_are_refused_as_json(
    http_server_client: Any, jp_base_url: str, jp_auth_header: dict[str, str]
) -> None:
    for route, handler in ROUTES:
        verb = next(verb for verb in ("PUT", "PATCH") if verb.lower() not in vars(handler))
        status, error = await _ask(http_server_client, jp_base_url, route, verb, jp_auth_header)
        assert (status, error["code"]) == (405, "invalid")


async def test_every_documented_parameter_is_known_and_no_other(rest: Rest) -> None:
    for route, method, operation in operations():
        known = parameters(operation)
        values = {name: _example(parameter["schema"]) for name, parameter in known.items()}
        schema = body_schema(operation)
        body = schema and {name: _example(field) for name, field in schema["properties"].items()}
        _, answer = await rest(method, route, body, **values)
        message = str((answer or {}).get("message"))
        assert not message.startswith(("illegal query", "illegal body")), (route, method, answer)
        if method == "GET" and not known:
            continue  # they take nothing and look at nothing
        if schema:
            status, error = await rest(method, route, {**body, "surplus": 1}, **values)
        else:
            status, error = await rest(method, route, body, **values, surplus="1")
        assert (status, error["code"]) == (400, "invalid"), (route, method)


def _example(schema: dict[str, Any]) -> Any:
    schema = resolve(schema)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema["type"]
    if isinstance(kind, list):
        kind = next(one for one in kind if one != "null")
    if kind == "object":
        return {"key": _example(schema["additionalProperties"])}
    return {"string": "abc", "integer": 7, "number": 0.5, "boolean": False}[kind]


async def test_missing_and_repeated_parameters_are_invalid(rest: Rest) -> None:
    for route, method, operation in operations():
        for name, parameter in parameters(operation).items():
            if parameter.get("required"):
                assert (await rest(method, route, b"{}"))[1]["code"] == "invalid"
            status, error = await rest(method, route, b"{}", **{name: ["a", "b"]})
            assert (status, error["code"]) == (400, "invalid"), (route, method, name)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:20]))
async def test_a_body_that_is_not_meant_changes_nothing(
    rest: Rest, put: Put, store: VersionStore, body: bytes
) -> None:
    put({"/a": b"1"})
    for route, method, operation in operations():
        if body_schema(operation):
            status, error = await rest(method, route, body, **({"name": "x"} if method == "PATCH" else {}))
            assert (status, error["code"]) in {(400, "invalid"), (404, "not_found")}, (route, error)
    assert [repo.name for repo in store.list_repos()] == ["images"]
    assert [branch.name for branch in store.list_branches("images")] == ["master"]


async def test_odd_input_gets_a_typed_answer_and_never_a_crash(rest: Rest, put: Put) -> None:
    put({"/a": b"1"})
    dice = random.Random(7)
    for route, method, operation in operations():
        for text in STRINGS:
            # one value is odd and the others are sound, so that it is reached
            known = parameters(operation)
            known.pop("force", None)  # with it, deleting is what was asked for
            values = _with_one_odd(known, text, dice)
            schema = body_schema(operation)
            body = schema and _with_one_odd(schema["properties"], text, dice)
            status, answer = await rest(method, route, body, **values)
            assert status < 500, (route, method, values, body, answer)
            if route == "/mounts" and status == 201:
                await rest("DELETE", "/mount", name=answer["name"])


def _with_one_odd(known: dict[str, Any], text: str, dice: random.Random) -> dict[str, str]:
    values = {name: SOUND[name] for name in known if name in SOUND}
    return {**values, dice.choice(list(known)): text} if known else {}


async def test_a_query_that_is_not_utf8_is_invalid(
    http_server_client: Any, jp_base_url: str, jp_auth_header: dict[str, str]
) -> None:
    status, error = await _ask(
        http_server_client, jp_base_url, f"{PREFIX}/repo?repo=%ff%fe", "GET", jp_auth_header
    )
    assert (status, error["code"]) == (400, "invalid")


async def test_a_fault_of_ours_shows_no_traceback_and_no_secret(
    rest: Rest, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("s3://key:secret@bucket")

    monkeypatch.setattr(backend.services, "open", broken)
    status, error = await rest("GET", "/repos")
    assert (status, error["code"]) == (500, "internal")
    assert "secret" not in json.dumps(error)
    assert "Traceback" not in json.dumps(error)
