"""What an executor and its sessions on Dask's workers say to each other, and how it is kept from others.

All of it goes by way of the scheduler, since nothing else is sure to reach the workers. Requests are sealed
for the one process that is meant, with a key that it has made for this session: what is run and the values of
secrets are never readable on the way. Reports, which hold neither, are not sealed.
"""

from __future__ import annotations

from importlib.metadata import version

import msgspec
from nacl.public import PublicKey, SealedBox

from jupyter_dvmount.pipelines.messages import Event, Run
from jupyter_dvmount.store import CommitRef, open_store

OPERATION = "jupyter_dvmount"
"""Name under which a worker takes requests."""
PACKAGES = ("jupyter-dvmount", "distributed")
"""What has to be there in one version everywhere: the language they speak is theirs."""


class Greeting(msgspec.Struct, frozen=True):
    """A worker's answer to somebody new: the session's public key, and the versions of `PACKAGES`."""

    key: bytes
    versions: dict[str, str]


class Open(msgspec.Struct, frozen=True, tag=True):
    """Open the store, see that it is the same one, and answer with what is wrong, if anything is.

    Parameters
    ----------
    store, id
        Its URL and its id.
    witness
        Its newest commit, if there is one. Who lacks it has another catalog.
    """

    store: str
    id: str
    witness: CommitRef | None = None


class Listen(msgspec.Struct, frozen=True, tag=True):
    """Answer with `Reports`, at the latest after ``hold`` seconds; those before number ``ack`` are there."""

    ack: int
    hold: float


class Begin(msgspec.Struct, frozen=True, tag=True):
    """Run a task's order."""

    task: str
    order: Run


class Nothing(msgspec.Struct, frozen=True, tag=True):
    """There is nothing to do for a task any more: end it, and what it runs."""

    task: str


class Stop(msgspec.Struct, frozen=True, tag=True):
    """End an attempt of a task, or do not begin it."""

    task: str
    attempt: str


Letter = Begin | Nothing | Stop


class Tell(msgspec.Struct, frozen=True, tag=True):
    """Letters, the first of which has a number; a number that was there already is to be passed over."""

    first: int
    letters: tuple[Letter, ...]


class Bye(msgspec.Struct, frozen=True, tag=True):
    """End the session and all that it runs."""


Request = Open | Listen | Tell | Bye


class Here(msgspec.Struct, frozen=True, tag=True):
    """A task has begun on this worker and wants its order."""

    task: str


class Told(msgspec.Struct, frozen=True, tag=True):
    """What has happened to attempts of a task."""

    task: str
    events: tuple[Event, ...]


Report = Here | Told


class Reports(msgspec.Struct, frozen=True):
    """Reports that may not have arrived; the first of them has a number."""

    first: int
    reports: tuple[Report, ...]


def versions() -> dict[str, str]:
    """The versions of `PACKAGES` in this process."""
    return {name: version(name) for name in PACKAGES}


def introduce(store: str) -> Open:
    """A store as a worker has to find it; raises `StoreError` if it cannot be used here."""
    with open_store(store, create=False) as opened:
        newest = next(iter(opened.list_commit_sets(limit=1)), None)
        return Open(store, opened.id, newest.commits[0] if newest is not None else None)


def seal(request: Request, key: bytes) -> bytes:
    """A request that only the owner of a public key can read."""
    return SealedBox(PublicKey(key)).encrypt(msgspec.msgpack.encode(request))
