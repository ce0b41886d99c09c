"""What is to be run, where, and what came of it: the records between the agent and the tiers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

Tier = Literal["image", "bubblewrap", "plain"]
State = Literal["success", "recovered", "failed", "cancelled"]
FailureClass = Literal["", "user", "oom", "timeout", "infrastructure"]

PFS = "/pfs"
"""Where code finds its data, in every tier that can have a root directory of its own."""
RUNS = "/dvm/runs"
"""Where the code of a tracked job writes what its tracker says about runs."""
GRACE = 10.0
"""Seconds between SIGINT and SIGKILL: what a training needs to write down its last step."""


class SecretUse(msgspec.Struct, frozen=True, kw_only=True):
    """A secret by name, and where the code finds it.

    Parameters
    ----------
    name, key
        Which value; without a key all of them, for ``mount_path``.
    env_var
        Variable that gets the value; empty without.
    mount_path
        Absolute path of the directory that gets a file a key; empty without.
    """

    name: str
    key: str = ""
    env_var: str = ""
    mount_path: str = ""


class NotebookUse(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen notebook that is run instead of a program.

    Parameters
    ----------
    repo, path
        Where it is kept.
    content
        The notebook, where it is not kept yet.
    kernel
        Instead of its own; empty without.
    parameters
        Values for its parameters cell.
    """

    repo: str
    path: str
    content: bytes = b""
    kernel: str = ""
    parameters: dict[str, Any] = {}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a pipeline runs for each datum.

    Parameters
    ----------
    cmd
        The program and its arguments.
    notebook
        What `notebooks.with_command` makes the rest of, where it runs: ``cmd``, ``stdin``, ``keep`` and
        ``exit_reasons``.
    stdin
        Lines of its standard input.
    env
        Variables of the spec.
    secrets
        Which secrets it gets, and where.
    working_dir
        Absolute path; empty for the tier's own.
    user
        Name or ``uid[:gid]``; empty for the image's, or for the user who runs the agent.
    image
        Image of tier ``image``; ignored by the others.
    network
        Network of tier ``image``, as podman and docker name it.
    err_cmd, err_stdin
        What is run when ``cmd`` fails; if it ends well, the datum counts as recovered.
    accept_return_code
        Exit codes that are as good as 0.
    exit_reasons
        What exit codes of ``cmd`` mean, for people.
    keep
        Directory below ``/pfs/out`` that is kept of an attempt that fails, too; empty for none.
    timeout
        Seconds that a datum may take; None for no bound.
    grace
        Seconds between SIGINT and SIGKILL.
    cpu, memory, disk
        Limits in cores and bytes; None for none. That of the disk is for all that is written.
    """

    cmd: tuple[str, ...]
    notebook: NotebookUse | None = None
    stdin: tuple[str, ...] = ()
    env: dict[str, str] = {}
    secrets: tuple[SecretUse, ...] = ()
    working_dir: str = ""
    user: str = ""
    image: str = ""
    network: str = "host"
    err_cmd: tuple[str, ...] = ()
    err_stdin: tuple[str, ...] = ()
    accept_return_code: tuple[int, ...] = ()
    exit_reasons: dict[int, str] = {}
    keep: str = ""
    timeout: float | None = None
    grace: float = GRACE
    cpu: float | None = None
    memory: int | None = None
    disk: int | None = None


class Command(msgspec.Struct, frozen=True):
    """A program with its arguments, and what it reads."""

    argv: tuple[str, ...]
    stdin: bytes = b""


class Bind(msgspec.Struct, frozen=True):
    """A local file or directory that appears at ``target``, an absolute path."""

    source: Path
    target: str


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The directories of one attempt.

    Parameters
    ----------
    root
        The attempt's own directory; every tier may make more in it.
    inputs
        Data, below ``/pfs``, read-only.
    secrets
        Files of secrets, read-only.
    out
        What appears as ``/pfs/out``, writable.
    kept
        Directories that outlive the attempt, writable.
    env
        The variables of the job's surroundings, with the paths of ``/pfs``.
    secret_env
        Variables with values of secrets.
    """

    root: Path
    inputs: tuple[Bind, ...] = ()
    secrets: tuple[Bind, ...] = ()
    out: Path
    kept: tuple[Bind, ...] = ()
    env: dict[str, str] = {}
    secret_env: dict[str, str] = {}


class Identity(msgspec.Struct, frozen=True):
    """Numbers of the user that a process becomes."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """A process as the keeper starts it.

    Parameters
    ----------
    argv, env, cwd
        As for `os.execve`; the program is looked for on the PATH of ``env``.
    stdin
        What it reads; passed beside this record.
    identity
        Whom it becomes, or None.
    memory
        Bytes of address space that each of its processes may have, or None.
    file_size
        Bytes that each file may get, or None.
    cgroups
        Files to write its process id to.
    wrapped
        Whether the program starts another one in its stead, which is who must be interrupted.
    no_new_privileges
        Whether setuid programs are powerless in it.
    inspect
        Command that prints the process id to be interrupted instead; empty without.
    remove
        Command that ends from outside what was begun; empty without.
    linger
        Seconds that helpers of the program get to end by themselves.
    """

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    stdin: bytes = b""
    identity: Identity | None = None
    memory: int | None = None
    file_size: int | None = None
    cgroups: tuple[str, ...] = ()
    wrapped: bool = False
    no_new_privileges: bool = False
    inspect: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    linger: float = 0.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended.

    Parameters
    ----------
    state
        ``recovered`` if the code failed and its ``err_cmd`` did not.
    failure
        Why it failed: the code itself, memory, time, or what it runs on.
    reason
        One line for people; empty on success.
    exit_code
        Of ``cmd``: 128 + N where signal N ended it, as a shell has it; None where it was not run.
    seconds, cpu_seconds
        Time that passed, and time that its processes used.
    memory
        Most bytes that one of its processes held.
    """

    state: State
    failure: FailureClass = ""
    reason: str = ""
    exit_code: int | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory: int = 0


class Sandbox(Protocol):
    """A tier that works here."""

    tier: Tier
    detail: str
    """One line: what it is made of."""

    def launch(self, plan: Plan, place: Place, command: Command) -> Launch:
        """How ``command`` is started with the surroundings of ``place``; `StoreError` if it cannot be."""

    def pfs(self, place: Place) -> str:
        """What stands for ``/pfs`` in the links that the code makes."""

    def scratch(self, place: Place) -> tuple[Path, ...]:
        """Directories of this machine that the code can write to, for the bound on the disk."""

    def explain(self, exit_code: int, output: bytes) -> tuple[FailureClass, str]:
        """Class and reason of a failure that is the tier's own; empty ones for the code's.

        ``output`` is the beginning of what was printed.
        """

    def reads_private(self, plan: Plan) -> bool:
        """Whether the code can read what is open to this user alone, such as a FUSE mount."""

    def warnings(self, plan: Plan) -> list[str]:
        """What of the plan is not done in this tier, in one line each."""
