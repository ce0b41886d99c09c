"""A connection to a Dask cluster: one that is there, or one on this machine for as long as it is needed."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import dask.config
import msgspec
from distributed import Client, LocalCluster
from distributed.scheduler import KilledWorker
from typing_extensions import Self

from jupyter_dvmount.store import StoreError, Unavailable

from . import EXTRA, worker
from .messages import OPERATION, Greeting, Request, seal, versions

CONNECT = 10.0
"""Seconds that a scheduler gets to answer when it is connected to, and a worker when it is greeted."""
SILENCE = 25.0
"""Seconds without an answer after which a scheduler or a worker counts as dead; more than `worker.LEASE`."""
_END = 5.0
_QUIET = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "1s"}
# nobody looks at statistics of the cluster on this machine, and sampling them costs a tenth of a core each
Answer = TypeVar("Answer")


class Cluster:
    """A connection to a scheduler, in one event loop.

    Parameters
    ----------
    client
        Connected.
    local
        The cluster on this machine that it has to end, if it is one.
    owner
        Who may only have one executor at a time.
    """

    def __init__(self, client: Client, local: LocalCluster | None, owner: str) -> None:
        self._client = client
        self._local: Any = local
        self._owner = owner
        self._session = os.urandom(8).hex()

    @classmethod
    async def connect(cls, address: str, owner: str, patience: float = CONNECT) -> Self:
        """Connect to a scheduler that runs.

        Raises
        ------
        Unavailable
            If there is no answer, or what answers cannot be used.
        """
        fix = "start it (dask scheduler), or set DVMOUNT_DASK to its address"
        try:
            client = await _client(address, patience)
        except Exception as error:
            raise Unavailable(f"no Dask scheduler at {address}: {_first_line(error)}", fix=fix) from error
        cluster = cls(client, None, owner)
        try:
            await cluster._check_scheduler(address)
        except BaseException:
            await cluster.close()
            raise
        return cluster

    @classmethod
    async def start(cls, workers: int, directory: Path, owner: str) -> Self:
        """Start a cluster of processes on this machine, and connect to it.

        It is encrypted, because whoever can talk to a scheduler can run code as its user.

        Raises
        ------
        Unavailable
            If it does not start.
        """
        dask.config.set(_QUIET)  # here and, by way of the nannies, in the workers
        local: Any = None
        try:
            local = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=0,  # what needs memory is not in the workers but in the code that agents run
                security=True,
                dashboard_address=None,
                local_directory=os.fspath(directory),
                silence_logs=logging.ERROR,
                asynchronous=True,
            )
            await local
            client = await _client(local)
        except Exception as error:
            if local is not None:
                await local.close()
            message = f"no Dask cluster can be started on this machine: {_first_line(error)}"
            raise Unavailable(
                message, fix="set DVMOUNT_EXECUTOR=local, or see the controller's log"
            ) from error
        return cls(client, local, owner)

    async def threads(self) -> dict[str, int]:
        """Threads of each worker by its address."""
        if self._client.status != "running":
            raise Unavailable("the Dask scheduler has gone", fix="start it again")
        found: dict[str, int] = await _asking(self._scheduler.ncores(), SILENCE)
        return found

    async def greet(self, address: str) -> Greeting:
        """Begin a session on a worker.

        Raises
        ------
        Unavailable
            If it does not answer, or lacks a package or has it in another version.
        """
        asked = self._client.run(worker.greet, self._session, self._owner, workers=[address])
        answers = await _asking(asked, CONNECT)
        greeting = msgspec.msgpack.decode(answers[address], type=Greeting)
        _compare(greeting.versions)
        return greeting

    async def ask(self, address: str, key: bytes, request: Request, patience: float) -> bytes:
        """A session's answer to a request; empty if there is no such session any more.

        Raises
        ------
        Unavailable
            If there is no answer within ``patience`` seconds.
        """
        message = {"op": OPERATION, "session": self._session, "data": seal(request, key)}
        answer: bytes | None = await _asking(self._scheduler.proxy(msg=message, worker=address), patience)
        return answer or b""

    async def run(self, task: str, workers: Collection[str] | None) -> str:
        """Have a worker take a task, one of some or any; once it is over, the reason if it has failed.

        When this is cancelled, so is the task, if it has not begun.
        """
        future: Any = self._client.submit(
            worker.work,
            self._session,
            task,
            key=task,
            pure=False,
            workers=None if workers is None else [*workers],
        )
        try:
            error = await future.exception()
            if future.status == "finished":
                return ""
            return "the Dask scheduler has dropped the batch" if error is None else _explain(error)
        finally:
            with suppress(Exception):
                await future.cancel()  # also of one that is over, which a worker's death makes run again

    async def close(self) -> None:
        """Leave the cluster, or end it if it is of this connection."""
        with suppress(Exception):
            await asyncio.wait_for(_closing(self._client), _END)
        if self._local is not None:
            with suppress(Exception):
                await asyncio.wait_for(self._local.close(), 2 * _END)

    @property
    def _scheduler(self) -> Any:
        return self._client.scheduler  # None when it has been lost

    async def _check_scheduler(self, address: str) -> None:
        try:
            _compare(await _asking(self._client.run_on_scheduler(versions), CONNECT))
        except Unavailable as error:
            message = f"the Dask scheduler at {address} cannot be used: {error.message}"
            raise Unavailable(message, fix=error.fix) from error


async def _client(where: str | LocalCluster, patience: float = CONNECT) -> Client:
    client = Client(where, asynchronous=True, timeout=patience, set_as_default=False, name="dvmount")
    try:
        await client
    except BaseException:
        with suppress(Exception):
            await _closing(client)
        raise
    return client


async def _closing(client: Any) -> None:
    await client.close()


async def _asking(asked: Awaitable[Answer], patience: float) -> Answer:
    try:
        return await asyncio.wait_for(asked, patience)
    except ImportError as error:
        raise Unavailable(f"it has no module {error.name}", fix=f"{EXTRA} there, too") from error
    except Exception as error:  # Dask raises whatever it likes, and whatever is raised at the other end
        raise Unavailable(f"it does not answer: {_first_line(error)}", fix="start it again") from error


def _compare(theirs: dict[str, str]) -> None:
    for name, ours in versions().items():
        if theirs[name] != ours:
            raise Unavailable(
                f"it has {name} {theirs[name]}, and here is {ours}", fix="install the same version on both"
            )


def _explain(error: BaseException | None) -> str:
    if isinstance(error, KilledWorker):
        return "each Dask worker that took the batch has died; see the workers' logs"
    if isinstance(error, StoreError):
        return error.line
    return f"on the Dask worker: {_first_line(error)}"


def _first_line(error: BaseException | None) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
