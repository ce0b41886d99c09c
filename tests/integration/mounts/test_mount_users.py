"""Ordinary users: with fusermount3, without it, and without /dev/fuse."""

from __future__ import annotations

import json
import sys

import pytest

from tests import ordinary_user
from tests.integration.mounts.processes import processes_of, wait_for

pytestmark = ordinary_user.needs_root

SCRIPT = """
import json, os, sys
from pathlib import Path
from jupyter_dvmount.config import Config
from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.store import open_store
from jupyter_dvmount.mounting import support
if os.environ.get("PRETEND"):  # everything that is looked at beforehand seems to be fine
    support._device = support._privilege = lambda: None
home = Path.home()
store = open_store((home / "store").as_uri())
store.create_repo("images")
with store.modify("images", "master") as writer:
    writer.put("/d/a", b"content")
manager = MountManager(Config(store=store.url, state=home / "state", root=home / "mnt"), store)
check = manager.probe()[0]
told = []
mount = manager.mount("images", "master", progress=lambda *done: told.append(done))
path = Path(mount.path) / "d" / "a"
try:
    path.open("wb")
    refused = ""
except OSError as error:
    refused = error.strerror
print(json.dumps({
    "uid": os.getuid(), "mode": mount.mode, "content": path.read_text(), "owner": path.stat().st_uid,
    "refused": refused, "status": check.status, "detail": check.detail, "fix": check.fix,
    "listed": [other.error for other in manager.list()],
}))
manager.unmount_all()
if (home / "state" / "run").is_dir():
    manager.stop()
"""


@pytest.fixture
def outcome(tmp_path):
    def run(*, fuse, env=None):
        home = tmp_path / "home"
        done = ordinary_user.run([sys.executable, "-c", SCRIPT], home=home, fuse=fuse, env=env)
        assert done.returncode == 0, done.stderr
        wait_for(lambda: not processes_of(home / "state"))
        return json.loads(done.stdout)

    return run


def test_an_ordinary_user_mounts_through_fusermount3(outcome):
    found = outcome(fuse=True)
    assert (found["mode"], found["content"], found["status"]) == ("fuse", "content", "ok")
    assert found["owner"] == found["uid"] == ordinary_user.NOBODY
    assert found["refused"] == "Read-only file system"
    assert found["listed"] == [""]


def test_where_the_kernel_refuses_the_mount_the_files_are_copied(outcome):
    found = outcome(fuse=False, env={"PRETEND": "1"})
    assert (found["mode"], found["content"]) == ("checkout", "content")


def test_without_dev_fuse_the_files_are_copied_and_the_check_says_why(outcome):
    found = outcome(fuse=False)
    assert (found["mode"], found["content"], found["status"]) == ("checkout", "content", "limited")
    assert "/dev/fuse" in found["detail"]
    assert found["fix"]
    assert found["refused"] == "Permission denied"


def test_without_fusermount3_the_files_are_copied_and_the_check_says_why(outcome, tmp_path):
    (tmp_path / "bin").mkdir()
    found = outcome(fuse=True, env={"PATH": str(tmp_path / "bin")})
    assert (found["mode"], found["content"], found["status"]) == ("checkout", "content", "limited")
    assert "no fusermount3" in found["detail"]
    assert "apt-get install" in found["fix"]
