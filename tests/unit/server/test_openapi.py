"""The REST description, the handlers and the records say the same."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from openapi_spec_validator import validate

from jupyter_dvmount.mounting.model import Check, Holder, Mount, Unmounted
from jupyter_dvmount.server.errors import STATUS, ErrorBody
from jupyter_dvmount.server.handlers import PREFIX, ROUTES
from jupyter_dvmount.server.health import Health
from jupyter_dvmount.server.parsing import DEFAULT_LIMIT, MAX_LIMIT
from jupyter_dvmount.store import Branch, Commit, CommitRef, FileInfo, Repo, Trigger
from tests.integration.server.contract import METHODS, contract, operations

RECORDS = [Branch, Check, Commit, CommitRef, FileInfo, Health, Mount, Repo, Trigger, Unmounted]


def test_the_description_is_valid_openapi() -> None:
    validate(contract())


def test_the_handlers_have_what_is_described_and_nothing_else() -> None:
    described = {(route, method) for route, method, _ in operations()}
    handled = {
        (route.removeprefix(PREFIX), verb.upper())
        for route, handler in ROUTES
        for verb in METHODS
        if verb in vars(handler)
    }
    assert handled == described


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_a_record_has_the_described_fields_and_nothing_else(record: type[msgspec.Struct]) -> None:
    assert list(record.__struct_fields__) == list(_schema(record.__name__)["properties"])


def test_holders_and_errors_have_the_described_fields() -> None:
    holders = _schema("Unmounted")["properties"]["holders"]["items"]
    assert list(Holder.__struct_fields__) == list(holders["properties"])
    assert list(ErrorBody.__struct_fields__) == list(_schema("Error")["properties"])


def test_every_code_is_described() -> None:
    assert {*STATUS, "internal"} == set(_schema("Error")["properties"]["code"]["enum"])


def test_the_limits_of_a_page_are_the_described_ones() -> None:
    limit = contract()["components"]["parameters"]["limit"]["schema"]
    assert (limit["default"], limit["minimum"], limit["maximum"]) == (DEFAULT_LIMIT, 1, MAX_LIMIT)


def _schema(name: str) -> dict[str, Any]:
    return contract()["components"]["schemas"][name]
