from __future__ import annotations

import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvmount_fuse.layout import KnownStore, State, commit_directory, parse_commit_directory
from jupyter_dvmount.store import Denied, Invalid, NotFound, Unavailable

COMMIT = "a" * 32
names = st.from_regex(r"[A-Za-z0-9_.-]{1,40}", fullmatch=True)


@given(names, names)
def test_a_directory_name_tells_repo_and_commit(project, repo):
    for full in (repo, f"{project}/{repo}"):
        name = commit_directory(full, COMMIT)
        assert "/" not in name
        assert parse_commit_directory(name) == (full, COMMIT)


def test_a_name_too_long_for_a_directory_is_refused_with_the_limit():
    with pytest.raises(Invalid, match="too long") as caught:
        commit_directory("p" * 150 + "/" + "r" * 150, COMMIT)
    assert "221" in caught.value.fix


def test_the_state_directory_is_private(tmp_path):
    state = State(tmp_path / "deep" / "state")
    state.prepare()
    state.prepare()
    for directory in (state.path, state.run, state.fs):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    state.run.chmod(0o755)
    state.prepare()
    assert stat.S_IMODE(state.run.stat().st_mode) == 0o700


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unavailable, match="state directory"):
        State(tmp_path / "file" / "state").prepare()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to somebody else")
def test_a_state_directory_of_another_user_is_refused(tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    with pytest.raises(Denied, match="another user"):
        State(theirs).prepare()


def test_a_store_is_known_by_its_id(tmp_path):
    state = State(tmp_path)
    state.prepare()
    with pytest.raises(NotFound):
        state.known_store("s1")
    state.remember(KnownStore(id="s1", url="file:///a"))
    state.remember(KnownStore(id="s1", url="file:///moved"))
    assert state.known_store("s1").url == "file:///moved"
    (state.stores / "s2").write_text("{")
    with pytest.raises(Unavailable):
        state.known_store("s2")
    assert list(state.tmp.iterdir()) == []
