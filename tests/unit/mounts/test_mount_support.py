from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_dvmount.mounting import support
from jupyter_dvmount.store import Invalid, Unavailable

CAPABLE = {"CapEff": "0000003fffffffff", "CapBnd": "0000003fffffffff", "NoNewPrivs": "0"}
POWERLESS = {"CapEff": "0", "CapBnd": "0", "NoNewPrivs": "0"}


@pytest.fixture(autouse=True)
def _device(tmp_path, monkeypatch):
    """A /dev/fuse that opens and a process that may mount, whatever runs the tests."""
    (tmp_path / "fuse").touch()
    monkeypatch.setattr(support, "DEVICE", tmp_path / "fuse")
    monkeypatch.setattr(support, "_process", lambda: CAPABLE)
    monkeypatch.setattr(support.os, "geteuid", lambda: 0)
    monkeypatch.delenv(support.MODE_VARIABLE, raising=False)


def helper(tmp_path, monkeypatch, mode):
    program = tmp_path / "bin" / "fusermount3"
    program.parent.mkdir()
    program.touch()
    program.chmod(mode)
    monkeypatch.setenv("PATH", str(program.parent))
    return program


def test_fuse_is_used_where_it_works():
    assert support.fuse_support().usable
    assert support.choose_mode() == "fuse"
    assert support.check().status == "ok"
    assert not support.check().fix


@pytest.mark.parametrize(("what", "word"), [("device", "no /dev/fuse"), ("capability", "forbidden")])
def test_what_is_missing_is_named_with_the_line_that_mends_it(monkeypatch, what, word):
    if what == "device":
        monkeypatch.setattr(support, "DEVICE", Path("/nonexistent/fuse"))
    else:
        monkeypatch.setattr(support, "_process", lambda: POWERLESS)
    check = support.check()
    assert (check.id, check.status) == ("mount", "limited")
    assert word in check.detail
    assert check.fix
    assert support.choose_mode() == "checkout"
    monkeypatch.setenv(support.MODE_VARIABLE, "fuse")
    assert support.check().status == "missing"
    with pytest.raises(Unavailable, match=word):
        support.choose_mode()


def test_an_ordinary_user_needs_the_helper(tmp_path, monkeypatch):
    monkeypatch.setattr(support.os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no fusermount3" in support.fuse_support().why
    assert "apt-get install" in support.fuse_support().fix


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a setuid helper of root")
def test_a_helper_that_may_not_become_root_is_no_help(tmp_path, monkeypatch):
    program = helper(tmp_path, monkeypatch, 0o755)
    monkeypatch.setattr(support.os, "geteuid", lambda: 1000)
    assert "setuid" in support.fuse_support().why
    program.chmod(0o4755)
    assert support.fuse_support().usable
    monkeypatch.setattr(support, "_process", lambda: {**CAPABLE, "NoNewPrivs": "1"})
    assert "privileges" in support.fuse_support().why


def test_copying_can_be_asked_for(monkeypatch):
    monkeypatch.setenv(support.MODE_VARIABLE, "checkout")
    assert support.choose_mode() == "checkout"
    assert support.check().status == "limited"


def test_a_mode_that_does_not_exist_is_refused(monkeypatch):
    monkeypatch.setenv(support.MODE_VARIABLE, "magic")
    with pytest.raises(Invalid, match="magic"):
        support.choose_mode()
    assert support.check().status == "missing"
