from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvmount_fuse.layout import State
from jupyter_dvmount.mounting import links
from jupyter_dvmount.mounting.holders import holders
from jupyter_dvmount.store import AlreadyExists, Invalid


@pytest.fixture
def state(tmp_path):
    state = State(tmp_path / "state")
    state.prepare()
    return state


@pytest.fixture
def place(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root" / "images"


def test_a_link_is_put_moved_and_taken_away(place, state):
    assert links.create(place, state.fs / "s" / "a") is False
    assert links.is_ours(place, state)
    links.swap(place, state.fs / "s" / "b", state)
    assert place.readlink() == state.fs / "s" / "b"
    assert links.remove(place, state, replaced=False)
    assert not os.path.lexists(place)
    assert list(place.parent.iterdir()) == []


def test_an_empty_directory_gives_way_and_comes_back(place, state):
    place.mkdir()
    assert links.create(place, state.fs / "x") is True
    links.remove(place, state, replaced=True)
    assert place.is_dir()
    assert not place.is_symlink()


def occupied(place, kind):
    if kind == "file":
        place.write_text("precious")
    elif kind == "directory":
        place.mkdir()
        (place / "precious").write_text("precious")
    else:
        place.symlink_to("/etc/hostname" if kind == "link" else "/nowhere")


@pytest.mark.parametrize("kind", ["file", "directory", "link", "broken link"])
def test_what_is_not_ours_is_never_touched(place, state, kind):
    occupied(place, kind)
    before = place.lstat()
    with pytest.raises(AlreadyExists) as caught:
        links.create(place, state.fs / "x")
    assert caught.value.fix
    with pytest.raises(AlreadyExists):
        links.swap(place, state.fs / "x", state)
    assert links.remove(place, state, replaced=False) is False
    assert place.lstat() == before


def test_a_place_without_a_parent_is_named(tmp_path):
    with pytest.raises(Invalid, match="is not a directory") as caught:
        links.check_place(tmp_path / "no" / "images")
    assert "mkdir -p" in caught.value.fix


def test_holders_are_found_by_open_files_and_working_directories(tmp_path):
    (tmp_path / "file").write_text("x")
    assert os.getpid() not in {holder.pid for holder in holders(tmp_path)}
    with (tmp_path / "file").open():
        found = [holder for holder in holders(tmp_path) if holder.pid == os.getpid()]
        assert found
        assert found[0].command
        assert not holders(Path(f"{tmp_path}-other"))
