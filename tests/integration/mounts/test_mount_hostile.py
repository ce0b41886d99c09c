"""Whoever shares a store or a machine may be hostile: what comes from them stays where it belongs."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dvmount_fuse.layout import State
from jupyter_dvmount.mounting import links
from jupyter_dvmount.store import Corrupt, Denied, open_store
from jupyter_dvmount.store.embedded.writing import writer
from tests.fuse import need_fuse
from tests.integration.mounts.trees import files_below


@pytest.fixture
def hostile(put, monkeypatch):
    """A commit whose author has not kept to the rules: its files would land outside of their directory."""
    monkeypatch.setattr(writer, "check_path", lambda path: path)
    put({"/../../../../escaped": b"evil", "/a": b"1"})
    monkeypatch.undo()


def test_files_of_a_hostile_commit_are_not_copied_anywhere(hostile, manager, config, tmp_path, monkeypatch):
    monkeypatch.setenv("DVMOUNT_MODE", "checkout")
    with pytest.raises(Corrupt, match="paths that no file can have"):
        manager.mount("images", "master")
    assert list(tmp_path.rglob("escaped")) == []
    assert list(config.root.iterdir()) == list((config.state / "tmp").iterdir()) == []


def test_a_hostile_commit_is_an_error_in_the_mount_and_in_no_other(hostile, manager, put, monkeypatch):
    need_fuse()
    monkeypatch.setenv("DVMOUNT_MODE", "fuse")
    put({"/a": b"1"}, repo="good")
    good = Path(manager.mount("good", "master").path)
    bad = Path(manager.mount("images", "master").path)
    for look in (os.listdir, lambda path: (path / "a").stat()):
        with pytest.raises(OSError) as caught:  # noqa: PT011  the errno is what is looked at
            look(bad)
        assert caught.value.errno == errno.EIO
    assert files_below(good) == {"/a": b"1"}


@pytest.mark.parametrize("id_", ["../../evil", "..", "a/b", "x" * 65])
def test_a_store_with_a_hostile_id_is_not_opened(tmp_path, store, id_):
    store.close()
    marker = tmp_path / "store" / "format"
    marker.write_text(marker.read_text().replace(store.id, id_))
    with pytest.raises(Corrupt, match="illegal id"):
        open_store(store.url)


def test_a_state_directory_that_others_can_write_to_is_refused(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o777)
    with pytest.raises(Denied) as caught:
        State(state).prepare()
    assert "chmod" in caught.value.fix
    state.chmod(0o755)
    State(state).prepare()


def test_a_link_that_only_begins_at_ours_is_not_ours(tmp_path):
    state = State(tmp_path / "state")
    link = tmp_path / "link"
    for target in (f"{state.fs}/../../precious", f"{state.checkouts}/..", f"{state.fs}", f"{tmp_path}/other"):
        link.symlink_to(target)
        assert not links.is_ours(link, state), target
        link.unlink()
    link.symlink_to(state.fuse_target("s", "images", "0" * 32))
    assert links.is_ours(link, state)
