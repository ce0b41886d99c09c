"""Ordinary users: with fusermount3, without it, and without /dev/fuse."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
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


DIAGNOSE = """
import json, sys
from pathlib import Path
from jupyter_dvmount.config import load_config
from jupyter_dvmount.doctor import diagnose
from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.store import StoreError, open_store
config = load_config()
store = open_store(config.store)
manager = MountManager(config, store)
checks = {check.id: check for check in diagnose(config, store)}
found = {"status": checks["disk"].status, "detail": checks["disk"].detail, "fix": checks["disk"].fix,
         "mount": checks["mount"].detail}
try:
    mount = manager.mount("images", "master")
    found |= {"mode": mount.mode, "content": (Path(mount.path) / "a").read_text()}
    manager.unmount_all()
    if (config.state / "run").is_dir():
        manager.stop()
except StoreError as error:
    found |= {"error": error.message, "remedy": error.fix}
print(json.dumps(found))
"""


@pytest.fixture
def in_namespace(tmp_path, put, store):
    """Runs `DIAGNOSE` as root after some commands in a mount namespace of its own."""
    put({"/a": b"content", **{f"/more/{number}": b"" for number in range(50)}})
    store.close()
    (tmp_path / "home").mkdir()

    def run(*prepare, prefix=(), **env):
        command = shlex.join([*prefix, sys.executable, "-c", DIAGNOSE])
        lines = ["set -e", "mount --make-rprivate /", *prepare, f"exec {command}"]
        settings = {
            "HOME": str(tmp_path / "home"),
            "DVMOUNT_STORE": store.url,
            "PATH": os.environ["PATH"],
            **env,
        }
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", "\n".join(lines)],
            env=settings, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_a_home_that_cannot_be_written_is_named_with_the_way_around_it(in_namespace, tmp_path):
    home = shlex.quote(str(tmp_path / "home"))
    read_only = (f"mount --bind {home} {home}", f"mount -o remount,bind,ro {home}")
    found = in_namespace(*read_only)
    assert found["status"] == "missing"
    assert "DVMOUNT_STATE" in found["fix"]
    assert "Read-only file system" in found["error"] or "cannot be written" in found["error"]
    assert "DVMOUNT_" in found["remedy"]
    elsewhere = {"DVMOUNT_STATE": str(tmp_path / "state"), "DVMOUNT_ROOT": str(tmp_path / "mnt")}
    assert in_namespace(*read_only, **elsewhere)["content"] == "content"


def test_root_of_a_container_without_the_right_to_mount_gets_copies(in_namespace):
    found = in_namespace(prefix=["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"])
    assert "forbidden in this container" in found["mount"]
    assert (found["mode"], found["content"]) == ("checkout", "content")


def test_in_a_container_without_dev_fuse_the_files_are_copied_and_the_check_says_why(in_namespace):
    found = in_namespace(
        "mount -t tmpfs none /dev", "mknod -m 666 /dev/null c 1 3", "mknod /dev/urandom c 1 9"
    )
    assert "there is no /dev/fuse" in found["mount"]
    assert (found["mode"], found["content"]) == ("checkout", "content")


SMALL = {"size=1m": "MiB are free", "nr_inodes=50": "can still be made"}


@pytest.mark.parametrize(("limit", "what"), SMALL.items())
def test_a_disk_that_is_too_small_for_a_copy_is_named_before_copying(in_namespace, tmp_path, limit, what):
    state = tmp_path / "small"
    state.mkdir()
    small = f"mount -t tmpfs -o mode=700,{limit} none {shlex.quote(str(state))}"
    found = in_namespace(small, DVMOUNT_STATE=str(state), DVMOUNT_MODE="checkout")
    assert what in found["error"]
    assert "DVMOUNT_STATE" in found["remedy"]


def test_root_needs_neither_libfuse_nor_the_helper(in_namespace, tmp_path):
    (tmp_path / "bin").mkdir()
    found = in_namespace(prefix=["env", f"PATH={tmp_path / 'bin'}"])
    assert (found["mode"], found["content"]) == ("fuse", "content")
