"""Slow requests keep no others waiting, and late ones are answered all the same."""

from __future__ import annotations

import errno
import queue
import threading
import time

import pytest

from dvmount_fuse.crew import Crew
from dvmount_fuse.inhand import InHand
from dvmount_fuse.lanes import Lanes


@pytest.fixture
def jobs():
    return queue.Queue()


@pytest.fixture
def crew(jobs):
    made = Crew(lambda buffer: jobs.get(), 16)
    made.start()
    yield made
    jobs.put(None)
    assert made.ended.wait(10)


def test_a_job_that_hangs_keeps_no_other_waiting(crew, jobs):
    gate, done = threading.Event(), queue.Queue()
    for _ in range(20):
        jobs.put(lambda: gate.wait(60))
    for number in range(100):
        jobs.put(lambda number=number: done.put(number))
    assert [done.get(timeout=20) for _ in range(100)] == list(range(100))
    gate.set()


def test_quick_jobs_are_done_by_one_thread_after_the_other(crew, jobs):
    done = queue.Queue()
    for _ in range(500):
        jobs.put(lambda: done.put(threading.get_ident()))
    assert len({done.get(timeout=20) for _ in range(500)}) < 25  # one, but for a busy machine


def test_threads_that_were_held_up_are_used_again(crew, jobs):
    for _ in range(30):
        gate, done = threading.Event(), threading.Event()
        jobs.put(lambda gate=gate: gate.wait(60))
        jobs.put(done.set)
        assert done.wait(20)
        gate.set()
    assert crew._threads <= 6


def test_a_store_that_hangs_holds_up_no_other():
    lanes, gate, done = Lanes(width=2), threading.Event(), queue.Queue()
    for number in range(6):
        work = lambda number=number: (gate.wait(60), done.put(number))  # noqa: E731
        threading.Thread(target=lanes.run, args=("slow", work), daemon=True).start()
    time.sleep(0.05)
    lanes.run("slow", lambda: done.put("last"))  # returns at once: one of the others will do it
    lanes.run("quick", lambda: done.put("quick"))
    assert done.get(timeout=5) == "quick"
    assert done.empty()
    gate.set()
    assert {done.get(timeout=5) for _ in range(7)} == {*range(6), "last"}


def test_what_is_late_ends_with_an_error_and_is_answered_once():
    in_hand = InHand(deadline=0.05)
    in_hand.begin(1)
    assert list(in_hand.expired()) == []
    time.sleep(0.06)
    in_hand.begin(2)
    assert list(in_hand.expired()) == [(1, errno.EIO)]
    assert not in_hand.end(1)
    assert in_hand.waits(2)
    assert in_hand.end(2)
    assert in_hand.busy() == 0


def test_an_interrupted_request_is_given_up_before_its_deadline(monkeypatch):
    monkeypatch.setattr("dvmount_fuse.inhand.GRACE", 0.01)
    in_hand = InHand(deadline=60)
    in_hand.begin(1)
    in_hand.begin(2)
    in_hand.interrupt(1)
    in_hand.interrupt(99)  # answered long ago
    time.sleep(0.02)
    assert list(in_hand.expired()) == [(1, errno.EINTR)]
    assert in_hand.waits(2)
