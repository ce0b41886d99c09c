"""Names, paths and references from outside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dvmount.store import Invalid, Location, check_path, parse
from jupyter_dvmount.store.uri import check_branch, check_repo, split_ref


@pytest.mark.parametrize(
    ("text", "repo", "ref", "path"),
    [
        ("images", "images", "", "/"),
        ("images@master", "images", "master", "/"),
        ("project/images@v1.0:/a b/c", "project/images", "v1.0", "/a b/c"),
        ("images@master:a/b/", "images", "master", "/a/b"),
        ("images@master:/a@b:c", "images", "master", "/a@b:c"),
        ("dvm://images@master/a%20b.png", "images", "master", "/a b.png"),
        ("dvm://images/a.png", "images", "", "/a.png"),
        ("dvm://project/images@dev", "project/images", "dev", "/"),
        ("default/images@dev:/a", "images", "dev", "/a"),
        ("dvm://default/images@dev", "images", "dev", "/"),
    ],
)
def test_locations_are_parsed(text: str, repo: str, ref: str, path: str) -> None:
    assert parse(text) == Location(repo=repo, ref=ref, path=path)


@pytest.mark.parametrize(
    "text",
    ["", "@master", "images@", "a/b/c@x", "images@master:/../x", "images@a b", "dvm://@x/", "ima ges", "-\n"],
)
def test_what_is_not_a_location_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse(text)


@pytest.mark.parametrize(
    "path", ["/a/../b", "..", "/a/./b", "/a//b", "/a\0b", "/a\nb", "/a\x7f", "/\udc80", "/" + "a" * 256]
)
def test_paths_that_no_file_can_have_are_refused(path: str) -> None:
    with pytest.raises(Invalid):
        check_path(path)


@pytest.mark.parametrize("path", ["/a b", "/*?[x]", "/'\"\\", "/ä/日本", "/a\u0308", "/.hidden", "/..."])
def test_every_other_name_is_allowed(path: str) -> None:
    assert check_path(path) == path


def test_a_path_has_at_most_4096_bytes() -> None:
    parts = "/".join(["ä" * 100] * 20)
    assert check_path(parts)
    with pytest.raises(Invalid, match="path too long"):
        check_path("/".join(["ä" * 100] * 21))


@given(st.text())
def test_any_text_is_a_path_or_is_refused(text: str) -> None:
    try:
        path = check_path(text)
    except Invalid:
        return
    assert check_path(path) == path


@given(st.text(), st.sampled_from(["", "dvm://"]))
def test_any_text_is_a_location_or_is_refused(text: str, scheme: str) -> None:
    try:
        location = parse(scheme + text)
    except Invalid:
        return
    if location.ref:
        assert parse(str(location)) == parse(location.uri) == location


def test_a_branch_cannot_look_like_a_commit() -> None:
    with pytest.raises(Invalid, match="looks like a commit id"):
        check_branch("0123456789abcdef" * 2)
    assert check_branch("0123456789abcdef") == "0123456789abcdef"


def test_steps_are_split_off() -> None:
    assert split_ref("master^~2") == ("master", ("^", "~2"))
    assert split_ref("master^2~^") == ("master", ("^2", "~", "^"))
    assert split_ref("v1.0") == ("v1", (".0",))


def test_repo_names() -> None:
    assert check_repo("project/images") == "project/images"
    assert check_repo("default/images") == "images"
    for name in ("", "/", "a/", "/a", "a/b/c", ".", "a b", "a" * 256):
        with pytest.raises(Invalid):
            check_repo(name)
