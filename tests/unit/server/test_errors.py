"""Errors over HTTP."""

from __future__ import annotations

import inspect

import pytest
from tornado.web import HTTPError

from jupyter_dvmount.server.errors import STATUS, describe
from jupyter_dvmount.store import StoreError, errors

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, StoreError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_of_the_store_has_a_status_of_its_own(kind: type[StoreError]) -> None:
    status, body = describe(500, kind("it failed", fix="mend it"))
    assert status == STATUS[kind.code]
    assert (body.code, body.message, body.fix) == (kind.code, "it failed", "mend it")


def test_a_fault_of_ours_tells_nothing_of_its_text() -> None:
    status, body = describe(500, RuntimeError("password"))
    assert (status, body.code) == (500, "internal")
    assert "password" not in body.message + body.fix


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "invalid"), (403, "denied"), (404, "not_found"), (405, "invalid"), (503, "unavailable")],
)
def test_errors_of_jupyter_become_ours(status: int, code: str) -> None:
    answered, body = describe(status, HTTPError(status, "because of %s", "this"))
    assert (answered, body.code, body.message) == (status, code, "because of this")


def test_a_percent_sign_in_a_message_is_no_trouble() -> None:
    assert describe(400, HTTPError(400, "100% wrong"))[1].message == "100% wrong"
