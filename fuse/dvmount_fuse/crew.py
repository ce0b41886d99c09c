"""Threads of which one takes requests, until it is held up by one and another takes its place.

Under Python's lock, threads that take requests side by side answer quick ones more slowly than one does
alone. A slow one, though, must not keep the others waiting.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from threading import Event, Lock, Semaphore, Thread
from time import sleep

IMPATIENCE = 0.003
"""Seconds that one request may take before another thread takes those behind it."""
THREADS = 256
"""Most threads; there are as many as there have been slow requests at one time, and one."""

Job = Callable[[], None]


class Crew:
    """Runs jobs one after the other, and side by side where that is needed.

    Parameters
    ----------
    next_job
        Waits for the next job; called by one thread at a time, with a buffer of the thread's own. None ends
        the crew.
    room
        Size of that buffer in bytes.
    """

    def __init__(self, next_job: Callable[[memoryview], Job | None], room: int) -> None:
        self._next_job = next_job
        self._room = room
        self._lock = Lock()
        self._baton = Semaphore(1)  # whoever has it takes the next job
        self._threads = self._waiting = 0
        self._turns = itertools.count(1)
        self._turn = 0  # the job that the one with the baton is doing; 0 for none
        self._begun = Event()
        self.ended = Event()
        """Set when there will be no more jobs."""

    def start(self) -> None:
        """Begin to work, in threads that do not keep the process alive."""
        self._add()
        Thread(target=self._watch, name="crew", daemon=True).start()

    def _add(self) -> None:
        self._threads += 1
        Thread(target=self._work, name=f"fuse-{self._threads}", daemon=True).start()

    def _work(self) -> None:
        buffer = memoryview(bytearray(self._room))
        while True:
            with self._lock:
                self._waiting += 1
            self._baton.acquire()
            with self._lock:
                self._waiting -= 1
            if not self._lead(buffer):
                return

    def _lead(self, buffer: memoryview) -> bool:
        """Take jobs until the baton has been passed on; False at the end of all jobs."""
        while (job := self._next_job(buffer)) is not None:
            self._turn = turn = next(self._turns)
            if not self._begun.is_set():
                self._begun.set()
            job()
            with self._lock:
                if self._turn != turn:
                    return True
                self._turn = 0
        self.ended.set()
        return False

    def _watch(self) -> None:
        """Pass the baton on when a job takes long; sleeps while there is none."""
        while not self.ended.is_set():
            self._begun.wait()
            self._begun.clear()
            turn = self._turn
            sleep(IMPATIENCE)
            with self._lock:
                if turn and self._turn == turn and (self._waiting or self._threads < THREADS):
                    self._turn = 0
                    if not self._waiting:
                        self._add()
                    self._baton.release()
