from __future__ import annotations

import time

from dvmount_fuse.layout import State
from jupyter_dvmount.mounting import keeper as module
from jupyter_dvmount.mounting.keeper import Keeper


def test_a_daemon_that_dies_at_once_is_started_ever_more_slowly(tmp_path, monkeypatch):
    state = State(tmp_path)
    state.prepare()
    monkeypatch.setattr(module.sys, "executable", "/bin/false")
    keeper = Keeper(state)
    pauses = []
    for _ in range(5):
        keeper.keep(urgent=True)
        while keeper.running:
            keeper.wait(1)
        pauses.append(keeper._next_start - time.monotonic())
        assert not keeper.running
        keeper.keep(urgent=False)
        assert keeper.running == (len(pauses) == 1)  # the first crash is forgiven
        while keeper.running:
            keeper.wait(1)
    assert pauses == sorted(pauses)
    assert pauses[-1] > 1
    assert (state.run / "failure").read_text() == "the daemon ended without a word"


def test_somebody_who_waits_does_not_wait_for_the_pause(tmp_path, monkeypatch):
    state = State(tmp_path)
    state.prepare()
    monkeypatch.setattr(module.sys, "executable", "/bin/false")
    keeper = Keeper(state)
    keeper._next_start = time.monotonic() + 1000
    keeper.keep(urgent=False)
    assert not keeper.running
    keeper.keep(urgent=True)
    assert keeper.running
    while keeper.running:
        keeper.wait(1)
