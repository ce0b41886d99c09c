from __future__ import annotations

import os
import time

from dvmount_fuse.layout import State
from jupyter_dvmount.mounting import keeper as module
from jupyter_dvmount.mounting.keeper import Keeper
from jupyter_dvmount.mounting.service import Service


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


def test_a_daemon_that_takes_long_to_answer_is_not_ended_meanwhile(tmp_path):
    """Whoever waits for a commit whose metadata come slowly would find the daemon gone."""
    state = State(tmp_path / "state")
    state.prepare()
    service = Service(state)
    assert not service.is_awaited(30)
    with service._waiting():
        os.utime(service.wanted, (1, 1))  # it has been waiting for ages
        assert service.is_awaited(30)
    assert service.is_awaited(30)
    os.utime(service.wanted, (1, 1))
    assert not service.is_awaited(30)
