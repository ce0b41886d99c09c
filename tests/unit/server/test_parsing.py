"""Queries, bodies and pages."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dvmount.server.paging import page
from jupyter_dvmount.server.parsing import MAX_BODY, Limit, parse_body, parse_query
from jupyter_dvmount.store import Invalid


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    repo: str
    force: bool = False
    limit: Limit = 500


def test_a_query_is_read_with_its_types() -> None:
    query = parse_query({"repo": [b"1"], "force": [b"true"], "limit": [b"7"]}, Query)
    assert query == Query(repo="1", force=True, limit=7)


def test_what_the_server_and_jupyterlab_add_is_passed_over() -> None:
    assert parse_query({"repo": [b"a"], "token": [b"x"], "1795488000000": [b""]}, Query) == Query(repo="a")


def test_spaces_and_control_characters_of_a_value_are_kept() -> None:
    assert parse_query({"repo": [b" a\n "]}, Query).repo == " a\n "


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"repo": [b"a", b"b"]},
        {"repo": [b"\xff"]},
        {"repo": [b"a"], "limit": [b"0"]},
        {"repo": [b"a"], "limit": [b"5001"]},
        {"repo": [b"a"], "force": [b"perhaps"]},
        {"repo": [b"a"], "surplus": [b"1"]},
        {"repo": [b"a"], "123": [b"1"]},
    ],
)
def test_a_query_that_is_not_as_described_is_invalid(arguments: dict[str, list[bytes]]) -> None:
    with pytest.raises(Invalid):
        parse_query(arguments, Query)


@given(st.binary(max_size=200))
def test_a_body_is_read_or_invalid(body: bytes) -> None:
    with suppress(Invalid):
        assert isinstance(parse_body(body, Query), Query)


def test_a_body_beyond_all_measure_is_not_even_read() -> None:
    with pytest.raises(Invalid, match=str(MAX_BODY + 1)):
        parse_body(b" " * (MAX_BODY + 1), Query)


@given(st.lists(st.integers()), st.integers(min_value=1, max_value=10))
def test_pages_put_together_are_the_whole_list(numbers: list[int], limit: int) -> None:
    names = [f"{place:03}" for place in range(len(numbers))]
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        part = page((name for name in names if name > after), limit, str)
        assert len(part.items) <= limit
        seen += part.items
        after = part.next
    assert seen == names
