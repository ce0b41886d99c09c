"""One datum of a spec run here and now, before there is a pipeline: its output goes to a local directory."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import msgspec
from msgspec.structs import replace

from jupyter_dvmount.config import Config
from jupyter_dvmount.store import AlreadyExists, Invalid, NotFound, StoreError, VersionStore
from jupyter_dvmount.store.uri import project_of

from .agent import KEEP_UP, Agent, Finish
from .datums import Code, Heads, enumerate_datums
from .datums.scratch import Scratch
from .executors.local import order_of
from .explain import nothing_because
from .jobs.planning import new_id
from .logs import LogLine
from .messages import Attempt, Batch, Event, Finished, Logged, Started
from .model import Datum
from .notebooks import Frozen
from .outputs import Written, copy_output
from .plans import plan_of
from .sandbox.plan import Outcome, Plan
from .secrets import SecretStore
from .spec import PipelineSpec

Tell = Callable[[str], None]
"""Takes each line of the log; those of the engine begin with two dashes."""


_DIGITS = 12


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """How it went.

    Parameters
    ----------
    datum
        What was run.
    outcome
        How it ended.
    directory
        Where the output is.
    files
        How many files it has.
    """

    datum: Datum
    outcome: Outcome
    directory: Path
    files: int


def choose(store: VersionStore, spec: PipelineSpec, heads: Heads, code: Code, wanted: str) -> Datum:
    """The first datum of a spec that is wanted.

    Parameters
    ----------
    wanted
        The beginning of its id, or the path of one of its inputs: ``/path`` or ``name:/path``. Empty for any.

    Raises
    ------
    NotFound
        If there is none.
    """
    found = False
    with Scratch() as scratch:
        for each in enumerate_datums(store, spec, heads, code, scratch):
            found = True
            places = {place for part in each.inputs for place in (part.path, f"{part.name}:{part.path}")}
            if each.id.startswith(wanted) or wanted in places:
                return each
    if found:
        raise NotFound(f"{spec.name} has no datum {wanted!r}", fix="explain pipeline lists its datums")
    raise NotFound(
        f"{spec.name} has no datum: {nothing_because(spec, heads)}", fix="put data into its input first"
    )


def try_datum(
    config: Config, store: VersionStore, frozen: Frozen, datum: Datum, *, to: Path | None, tell: Tell
) -> Trial:
    """Run the code of a spec on one datum, as a job would, and commit nothing.

    Parameters
    ----------
    config
        Where the secrets and the FUSE daemon are.
    to
        Directory for the output, new or empty; by default one named after the pipeline and the datum.
    tell
        Told what the code prints, as it does.

    Raises
    ------
    AlreadyExists
        If there is something in the directory.
    StoreError
        If it cannot be run at all. Code that fails is an outcome.
    """
    spec = frozen.spec
    to = to or Path(f"{spec.pipeline.name}-{datum.id[:_DIGITS]}")
    _make_empty(to)
    outputs = _Directory(store, to)
    attempt = Attempt(id=os.urandom(8).hex(), datum=datum)
    batch = Batch(
        job=(id := new_id()),
        output_commit=id,
        project=project_of(spec.name),
        pipeline=spec.pipeline.name,
        plan=_plan(frozen),
        output_repo="",
        attempts=(attempt,),
        image_required=spec.transform.image_required,
    )
    order = order_of(batch, SecretStore(config.state / "secrets"))
    ends: list[Outcome] = []

    def take(event: Event) -> None:
        if isinstance(event, Started):
            tell(f"-- tier {event.tier}")
            for warning in event.warnings:
                tell(f"-- {warning}")
        elif isinstance(event, Logged):
            for line in event.lines:
                _tell_line(line, tell)
        elif isinstance(event, Finished):
            ends.append(event.outcome)

    scratch = config.state / "scratch" / f"{os.getpid()}-trial-{os.urandom(4).hex()}"
    scratch.mkdir(mode=0o711, parents=True)
    agent = Agent(config, store, scratch, take, taker=outputs.taker)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(agent.run, order)
        try:
            while not wait([done], KEEP_UP).done:
                agent.keep_up()
            done.result()
        except BaseException:  # interrupted: the code gets its time to end, as when a job is stopped
            agent.cancel(attempt.id)
            raise
        finally:
            wait([done])
            agent.close()
    return Trial(datum=datum, outcome=ends[-1], directory=to, files=outputs.files)


def _plan(frozen: Frozen) -> Plan:
    """The plan, with the notebook itself: its copy is not kept anywhere yet."""
    plan = plan_of(frozen.spec)
    if plan.notebook is None:
        return plan
    return replace(plan, notebook=replace(plan.notebook, content=frozen.files[plan.notebook.path]))


def _tell_line(line: LogLine, tell: Tell) -> None:
    if line.engine and line.text:
        tell(f"-- {line.end}: {line.text}" if line.end else f"-- {line.text}")
    elif not line.engine:
        tell(line.text)


def _make_empty(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise AlreadyExists(
                f"{directory} is not empty", fix="name a directory that is empty or not there"
            )
    except OSError as error:
        raise Invalid(f"{directory}: {error.strerror}", fix="name another directory") from error


class _Directory:
    """Takes the output of an attempt to a local directory."""

    def __init__(self, store: VersionStore, target: Path) -> None:
        self._store = store
        self._target = target
        self._finish: Finish | None = None
        self.files = 0
        self.due = False

    def taker(self, store: VersionStore, repo: str, finish: Finish) -> _Directory:
        """Itself, told where to say that an attempt is over."""
        self._finish = finish
        return self

    def add(self, written: Written, outcome: Outcome, root: Path) -> None:
        """Copy it."""
        assert self._finish is not None
        try:
            self.files = copy_output(self._store, written, self._target)
        except StoreError as error:
            outcome = replace(outcome, state="failed", failure="user", reason=error.line)
        except OSError as error:
            reason = f"{error.filename or self._target}: {error.strerror}"
            outcome = replace(outcome, state="failed", failure="infrastructure", reason=reason)
        self._finish(written.attempt, outcome, None)

    def flush(self) -> None:
        """Nothing is held."""
