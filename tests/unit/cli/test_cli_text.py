"""What the command shows of texts that others wrote."""

from __future__ import annotations

import pytest

from jupyter_dvmount.cli.failures import describe
from jupyter_dvmount.cli.locations import typed_path
from jupyter_dvmount.cli.sources import own_name, without_password
from jupyter_dvmount.cli.text import one_line
from jupyter_dvmount.store import NotFound


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größe 𝛼 文", "größe 𝛼 文"),
        ("two\nlines\tand a tab", "two\\nlines\\tand a tab"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\u202eb", "a\\u202eb"),
        ("\udcff", "\\udcff"),
        ("no\xa0break", "no\xa0break"),
    ],
)
def test_texts_of_others_can_neither_break_a_line_nor_command_the_terminal(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_an_error_is_one_line_with_what_to_do() -> None:
    assert describe(NotFound("no repo 'a\nb'", fix="create it")) == "no repo 'a\\nb'; create it"
    assert describe(NotFound("gone")) == "gone"


def test_an_error_of_the_system_names_the_file() -> None:
    assert (
        describe(FileNotFoundError(2, "No such file or directory", "a.png"))
        == "a.png: No such file or directory"
    )


def test_an_error_that_nobody_expected_is_called_a_bug() -> None:
    line = describe(KeyError("x"))
    assert "KeyError" in line
    assert "--debug" in line


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("images", ""),
        ("images@master", ""),
        ("images@master:", ""),
        ("images@master:/", "/"),
        ("images@master:/a@b/", "/a@b/"),
        ("images:a", "a"),
        ("dvm://images@master", ""),
        ("dvm://images@master/a/b/", "/a/b/"),
        ("dvm://images/a", "/a"),
        ("dvm://project/images@master/a@b", "/a@b"),
    ],
)
def test_the_path_is_known_as_it_was_typed(text: str, path: str) -> None:
    assert typed_path(text) == path


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("-", ""),
        ("a/b.png", "b.png"),
        ("photos/", "photos"),
        ("https://example.org/data%20set.csv?version=2#top", "data set.csv"),
        ("https://example.org/", ""),
        ("https://example.org", ""),
    ],
)
def test_a_source_has_a_name_of_its_own(location: str, name: str) -> None:
    assert own_name(location) == name


def test_a_password_in_a_url_is_not_shown() -> None:
    assert without_password("https://me:secret@example.org:80/a@b") == "https://example.org:80/a@b"
