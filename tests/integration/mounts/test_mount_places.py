"""Names, places and everything a user may get wrong: a clear error, and nothing has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from jupyter_dvmount.config import Config
from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.store import AlreadyExists, Conflict, Invalid, NotFound, StoreError, open_store
from tests.integration.mounts.processes import processes_of

pytestmark = pytest.mark.usefixtures("fuse")


def left(config):
    """What a failed mount might have left: links, records, half-written files."""
    state = config.state
    return [
        *(config.root.iterdir() if config.root.is_dir() else ()),
        *(state / "mounts").glob("*"),
        *(state / "tmp").glob("*"),
    ]


@pytest.mark.parametrize(
    ("repo", "ref", "name", "kind"),
    [
        ("unknown", "master", None, NotFound),
        ("images", "unknown", None, NotFound),
        ("images", "0" * 32, None, NotFound),
        ("images", "../x", None, Invalid),
        ("../images", "master", None, StoreError),
        ("images", "master", "a/b", Invalid),
        ("images", "master", "..", Invalid),
        ("images", "master", "n" * 256, Invalid),
        ("images", "master", "a b", Invalid),
        ("images", "empty", None, StoreError),
        ("images", "master^", None, StoreError),
    ],
)
def test_what_cannot_be_mounted_leaves_nothing_behind(manager, put, store, config, repo, ref, name, kind):
    put({"/a": b"1"})
    store.create_branch("images", "empty")
    with pytest.raises(kind) as caught:
        manager.mount(repo, ref, name=name)
    assert caught.value.message
    assert left(config) == []
    assert manager.list() == []
    assert processes_of(config.state) == []


def test_an_unfinished_commit_cannot_be_mounted(manager, put, store, config):
    put({"/a": b"1"})
    started = store.start_commit("images", "master")
    with pytest.raises((Conflict, Invalid)) as caught:
        manager.mount("images", started.id)
    assert caught.value.fix
    assert left(config) == []


def test_a_name_that_is_taken_is_refused_with_a_free_one(manager, put):
    put({"/a": b"1"})
    put({"/a": b"2"}, branch="dev")
    first = manager.mount("images", "master")
    with pytest.raises(AlreadyExists) as caught:
        manager.mount("images", "dev")
    assert "'images-dev'" in caught.value.fix
    assert manager.list() == [first]
    second = manager.mount("images", "dev", name="images-dev")
    assert [Path(mount.path, "a").read_bytes() for mount in (first, second)] == [b"1", b"2"]


def test_the_same_mount_twice_is_one_mount(manager, put):
    put({"/a": b"1"})
    first = manager.mount("images", "master")
    assert manager.mount("images", "master") == first
    Path(first.path).unlink()
    assert manager.mount("images", "master") == first
    assert Path(first.path, "a").read_bytes() == b"1"
    with pytest.raises(AlreadyExists):
        manager.mount("images", "master", follow=True)


def test_mounting_again_after_the_branch_has_moved_says_that_a_mount_stays(manager, put):
    put({"/a": b"1"})
    first = manager.mount("images", "master")
    put({"/a": b"2"})
    with pytest.raises(AlreadyExists, match="the branch has moved") as caught:
        manager.mount("images", "master")
    assert "unmount 'images' first" in caught.value.fix
    assert Path(first.path, "a").read_bytes() == b"1"


def test_a_commit_by_its_id_by_a_prefix_and_by_its_branch(manager, put):
    first, _ = put({"/a": b"1"}), put({"/a": b"2"})
    by_id = manager.mount("images", first, name="by-id")
    by_prefix = manager.mount("images", first[:8], name="by-prefix")
    by_parent = manager.mount("images", "master^", name="by-parent")
    assert {mount.commit for mount in (by_id, by_prefix, by_parent)} == {first}
    assert {mount.branch for mount in (by_id, by_prefix, by_parent)} == {""}
    assert manager.mount("images", "master", name="by-branch").branch == "master"


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_stands_at_the_place_is_left_alone(manager, put, config, kind):
    put({"/a": b"1"})
    place = config.root / "images"
    config.root.mkdir()
    if kind == "file":
        place.write_text("precious")
    elif kind == "link":
        place.symlink_to("elsewhere")
    else:
        place.mkdir()
        (place / "precious").write_text("precious")
    with pytest.raises(AlreadyExists) as caught:
        manager.mount("images", "master")
    assert "another name" in caught.value.fix
    assert left(config) == [place]
    if kind == "directory":
        assert (place / "precious").read_text() == "precious"


def test_an_empty_directory_gives_way_and_comes_back(manager, put, tmp_path):
    put({"/a": b"1"})
    place = tmp_path / "project" / "data"
    place.mkdir(parents=True)
    mount = manager.mount("images", "master", name="data", directory=place)
    assert mount.path == str(place)
    assert (place / "a").read_bytes() == b"1"
    assert manager.inspect(str(place)) == mount
    manager.unmount(str(place))
    assert place.is_dir()
    assert not place.is_symlink()
    assert list(place.iterdir()) == []


def test_a_place_in_the_state_directory_is_refused(put, config, store, tmp_path):
    put({"/a": b"1"})
    for root in (config.state / "mnt", config.state, tmp_path):
        with pytest.raises(Invalid, match="inside each other"):
            MountManager(replace(config, root=root), store).mount("images", "master")
    with pytest.raises(Invalid, match="inside each other"):
        MountManager(config, store).mount("images", "master", directory=config.state / "fs" / "x")
    with pytest.raises(Invalid, match="absolute"):
        MountManager(config, store).mount("images", "master", directory=Path("data"))
    with pytest.raises(Invalid, match="not a directory"):
        MountManager(config, store).mount("images", "master", directory=tmp_path / "no" / "data")


def test_a_root_that_cannot_be_made_is_named(put, config, store, tmp_path):
    put({"/a": b"1"})
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="mount root"):
        MountManager(replace(config, root=tmp_path / "file" / "root"), store).mount("images", "master")


def test_a_link_whose_record_was_lost_gives_way_to_a_new_mount(manager, put, config):
    put({"/a": b"1"})
    put({"/a": b"2"}, branch="dev")
    manager.mount("images", "dev")
    (config.state / "mounts" / "images").unlink()
    assert Path(manager.mount("images", "master").path, "a").read_bytes() == b"1"


def test_a_record_that_cannot_be_read_harms_no_other_mount(manager, put, config):
    put({"/a": b"1"})
    manager.mount("images", "master", name="good")
    (config.state / "mounts" / "bad").write_text("{")
    assert [mount.name for mount in manager.list()] == ["good"]
    (config.state / "mounts" / "bad").unlink()


def test_a_mount_changed_meanwhile_is_not_overwritten(manager, put, monkeypatch):
    first, second = put({"/a": b"1"}), put({"/a": b"2"})
    manager.mount("images", first)
    provide = manager._provide

    def unmounted_meanwhile(*arguments):
        manager.unmount("images")
        return provide(*arguments)

    monkeypatch.setattr(manager, "_provide", unmounted_meanwhile)
    with pytest.raises(Conflict, match="meanwhile"):
        manager.update("images", ref=second)
    assert manager.list() == []


def test_places_of_their_own_get_names_of_their_own(manager, put, tmp_path):
    put({"/a": b"1"})
    (tmp_path / "x").mkdir()
    (tmp_path / "alias").symlink_to("x")
    first = manager.mount("images", "master")
    second = manager.mount("images", "master", directory=tmp_path / "x" / "data")
    assert (first.name, second.name) == ("images", "images-data")
    assert manager.mount("images", "master", directory=tmp_path / "alias" / "data") == second
    assert manager.unmount(str(tmp_path / "alias" / "data")).name == "images-data"


def test_unmounting_ends_the_name_and_not_the_readers(manager, put, config):
    put({"/a": b"content"})
    mount = manager.mount("images", "master")
    with Path(mount.path, "a").open("rb") as file:
        unmounted = manager.unmount("images")
        assert unmounted.name == "images"
        assert os.getpid() in {holder.pid for holder in unmounted.holders}
        assert not os.path.lexists(mount.path)
        assert file.read() == b"content"
    assert manager.list() == []
    with pytest.raises(NotFound):
        manager.unmount("images")
    with pytest.raises(NotFound):
        manager.inspect("images")


def test_readers_are_found_though_the_state_directory_is_reached_through_a_link(put, config, store, tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    put({"/a": b"content"})
    manager = MountManager(replace(config, state=tmp_path / "link" / "state"), store)
    try:
        mount = manager.mount("images", "master")
        with Path(mount.path, "a").open("rb"):
            assert os.getpid() in {holder.pid for holder in manager.unmount("images").holders}
    finally:
        manager.unmount_all()
        manager.stop()


def test_unmounting_removes_nothing_that_has_taken_the_place(manager, put):
    put({"/a": b"1"})
    mount = manager.mount("images", "master")
    Path(mount.path).unlink()
    Path(mount.path).write_text("precious")
    assert "not a link" in manager.list()[0].error
    manager.unmount("images")
    assert Path(mount.path).read_text() == "precious"
    assert manager.list() == []


def test_a_mount_of_another_store_is_listed_and_unmounted_too(manager, put, config, tmp_path):
    put({"/a": b"1"})
    with open_store((tmp_path / "other").as_uri()) as other:
        other.create_repo("texts")
        with other.modify("texts", "master") as writer:
            writer.put("/b", b"2")
        theirs = MountManager(Config(store=other.url, state=config.state, root=config.root), other)
        path = Path(theirs.mount("texts", "master").path)
        manager.mount("images", "master")
        assert [mount.name for mount in manager.list()] == ["images", "texts"]
        with pytest.raises(Invalid, match="another store"):
            manager.update("texts", ref="master")
    assert (path / "b").read_bytes() == b"2"
    manager.unmount("texts")
    assert [mount.name for mount in manager.list()] == ["images"]


def test_a_mount_whose_store_has_given_way_to_another_says_so(manager, put, config, tmp_path):
    put({"/a": b"1"})
    manager.mount("images", "master")
    (tmp_path / "store").rename(tmp_path / "away")
    with open_store(config.store) as another:
        (mount,) = MountManager(config, another).list()
    assert "another store" in mount.error


def test_a_deleted_repository_is_an_error_of_its_mounts_and_of_no_other(manager, put, store):
    put({"/a": b"1"})
    put({"/a": b"2"}, repo="other")
    manager.mount("images", "master")
    manager.mount("other", "master")
    store.delete_repo("images", force=True)
    errors = {mount.name: mount.error for mount in manager.list()}
    assert errors["images"]
    assert errors["other"] == ""
    assert manager.unmount("images").name == "images"


SCRIPT = """
import sys
from pathlib import Path
from jupyter_dvmount.config import Config
from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.store import StoreError, open_store
store = open_store(sys.argv[1], create=False)
manager = MountManager(Config(store=store.url, state=Path(sys.argv[2]), root=Path(sys.argv[3])), store)
own = sys.argv[4]
sys.stdin.readline()
for _ in range(5):
    path = Path(manager.mount("images", "master", name=own).path)
    assert (path / "a").read_bytes() == b"1"
    manager.mount("images", "master", name="shared")
    manager.list()
    manager.unmount(own)
manager.mount("images", "master", name=own)
"""


def test_several_processes_mount_at_the_same_time(manager, put, config):
    put({"/a": b"1"})
    arguments = [sys.executable, "-c", SCRIPT, config.store, str(config.state), str(config.root)]
    running = [
        subprocess.Popen([*arguments, f"p{number}"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    ended = [process.communicate("go\n", timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0] * 4, ended
    assert [mount.name for mount in manager.list()] == ["p0", "p1", "p2", "p3", "shared"]
    assert len(processes_of(config.state)) == 2
    assert sorted(path.name for path in config.root.iterdir()) == ["p0", "p1", "p2", "p3", "shared"]
