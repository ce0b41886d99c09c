"""The conversation with one worker: letters there, reports back, nothing lost and nothing twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from jupyter_dvmount.store import Unavailable

from .cluster import CONNECT, SILENCE, Cluster
from .messages import Bye, Greeting, Letter, Listen, Open, Report, Reports, Tell

HOLD = 5.0
"""Seconds that a worker without news keeps its answer back."""
_ANSWER = 10.0  # seconds that an answer may take besides
_AGAIN = 0.3
_OPEN = 60.0  # seconds in which a worker opens the store


class Lost(Exception):
    """A worker has to be taken for dead."""


class Line:
    """What is said to one worker and heard of it.

    Parameters
    ----------
    cluster
        The way to it.
    address
        The worker.
    take
        Gets its reports, in order.
    """

    def __init__(self, cluster: Cluster, address: str, take: Callable[[Line, Report], None]) -> None:
        self.address = address
        self._cluster = cluster
        self._take = take
        self._greeting = Greeting(b"", {})
        self._ack = 0
        self._told = 0
        self._letters: list[Letter] = []
        self._wake = asyncio.Event()
        self._heard = time.monotonic()

    async def open(self, request: Open) -> None:
        """Begin.

        Raises
        ------
        Unavailable
            If the worker cannot be used: what is wrong with it, and what to do.
        """
        self._greeting = await self._cluster.greet(self.address)
        answer = await self._cluster.ask(self.address, self._greeting.key, request, _OPEN)
        problem = msgspec.msgpack.decode(answer, type=str) if answer else "it has ended the session"
        if problem:
            raise Unavailable(
                f"it cannot use the store {request.store}: {problem}",
                fix="use a store that workers reach by its URL: on S3, with its catalog in PostgreSQL;"
                " or mount its directory there",
            )

    async def attend(self) -> None:
        """Talk to it for ever.

        Raises
        ------
        Lost
            If it does not answer any more.
        """
        both = [asyncio.ensure_future(each) for each in (self._listen(), self._speak())]
        try:
            await asyncio.gather(*both)
        finally:
            for each in both:
                each.cancel()

    def tell(self, letter: Letter) -> None:
        """Have it get a letter, after those before."""
        self._letters.append(letter)
        self._wake.set()

    async def leave(self) -> None:
        """End what it runs, if it can be reached."""
        if self._greeting.key:
            with suppress(Unavailable):  # it ends by itself
                await self._cluster.ask(self.address, self._greeting.key, Bye(), CONNECT)

    async def _listen(self) -> None:
        self._heard = time.monotonic()
        while True:
            answer = await self._ask(Listen(self._ack, HOLD), HOLD + _ANSWER)
            if answer is None:
                continue
            self._heard = time.monotonic()
            found = msgspec.msgpack.decode(answer, type=Reports)
            fresh = found.reports[self._ack - found.first :]
            self._ack = found.first + len(found.reports)
            for report in fresh:
                self._take(self, report)

    async def _speak(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._letters:
                letters = tuple(self._letters)
                if await self._ask(Tell(self._told, letters), _ANSWER) is not None:
                    del self._letters[: len(letters)]
                    self._told += len(letters)

    async def _ask(self, request: Listen | Tell, patience: float) -> bytes | None:
        """An answer; None if there was none, and it can be asked again."""
        try:
            answer = await self._cluster.ask(self.address, self._greeting.key, request, patience)
        except Unavailable as error:
            if time.monotonic() - self._heard > SILENCE:
                raise Lost(f"the Dask worker {self.address} does not answer") from error
            await asyncio.sleep(_AGAIN)
            return None
        if not answer:
            raise Lost(f"the Dask worker {self.address} was started again, or has heard nothing for a while")
        return answer
