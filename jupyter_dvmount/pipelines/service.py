"""Everything that people do with pipelines and jobs, for every face: command line, server and notebooks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jupyter_dvmount.config import Config
from jupyter_dvmount.store import (
    AlreadyExists,
    Conflict,
    Invalid,
    NotFound,
    Unavailable,
    VersionStore,
)

from .controller.cron import put_tick
from .controller.process import ensure_controller
from .datums import Code, Heads, branches, code_of, current_heads
from .datums.scratch import Scratch
from .explain import explain
from .jobs import FINAL, DatumInfo, DatumState, Job, Part, PipelineInfo, history, specs, work
from .jobs.changes import Changes
from .jobs.database import Database, open_database
from .jobs.graph import in_order, upstream
from .jobs.planning import Branch, begin, new_id, plan
from .kept import has_commit, keep_spec, make_repos, remove_repos, spec_repo, with_triggers
from .logs import LogStore, log_name
from .model import Explained
from .notebooks import Frozen, freeze
from .plans import salted_code
from .runs.expected import tracks
from .runs.files import RunFiles
from .runs.shown import ShownRun, shown_runs
from .secrets import SecretStore
from .spec import Cron, PipelineSpec
from .tail import Line, LogPart, read_on

if TYPE_CHECKING:
    from .trial import Tell, Trial

_POLL = 0.1  # seconds between two looks at a job or log that is waited for


class Pipelines:
    """The pipelines of one store.

    Parameters
    ----------
    config
        Settings.
    store
        The store.
    database
        Its database of jobs; by default the one that the settings name.
    """

    def __init__(self, config: Config, store: VersionStore, database: Database | None = None) -> None:
        self._config = config
        self._store = store
        self._database = database or open_database(config, store)
        self._logs = LogStore(config.state / "logs")
        self._run_files = RunFiles(config.state / "runs")
        self._secrets = SecretStore(config.state / "secrets")

    def close(self) -> None:
        """Release the database."""
        self._database.close()

    # pipelines

    def create(self, wanted: Sequence[PipelineSpec]) -> None:
        """Make pipelines and have them run on what is there.

        Parameters
        ----------
        wanted
            Their specs; they may read each other's output.

        Raises
        ------
        AlreadyExists
            If a name is taken.
        Invalid
            If they would feed themselves.
        NotFound
            If an input does not exist.
        """
        held = self._held()
        for each in wanted:
            if each.name in held:
                fix = "'update pipeline' changes it, 'delete pipeline' removes it"
                raise AlreadyExists(f"pipeline {each.name!r} exists already", fix=fix)
        self._put(self._checked(wanted, held), set(), "")

    def update(self, wanted: Sequence[PipelineSpec], *, reprocess: bool = False) -> None:
        """Give pipelines other specs, and have them run on what is there; new ones are made.

        Pipelines whose specs stay as they are have no new job. A job that runs goes on with the spec that it
        began with.

        Parameters
        ----------
        reprocess
            Have every datum run again, changed or not.
        """
        held = self._held()
        ordered = self._checked(wanted, held)
        changed = [each for each in ordered if reprocess or held.get(each.spec.name) != each.spec]
        self._put(changed, set(held), new_id() if reprocess else None)

    def check(self, wanted: Sequence[PipelineSpec]) -> None:
        """Raise unless `update` could take these specs: no circle, no input that there is not."""
        self._checked(wanted, self._held())

    def _put(self, frozen: Sequence[Frozen], held: set[str], salt: str | None) -> None:
        """Have pipelines with these specs, all or none, and one set of jobs for all of them."""
        heads: dict[Branch, str] = {}
        for each in frozen:
            make_repos(self._store, each.spec)
            keep_spec(self._store, each)
            heads |= current_heads(self._store, each.spec)
        ready = [each.spec for each in frozen]
        names = [spec.name for spec in ready]
        id = self._free_id(names, heads)
        with self._database.write() as connection:
            for spec in ready:
                if spec.name in held:
                    specs.revise(connection, spec, salt)
                else:
                    specs.add(connection, spec)
            begin(connection, names, heads, id)
        self.ensure_controller()

    def _held(self) -> dict[str, PipelineSpec]:
        """The specs that there are now, by name."""
        with self._database.read() as connection:
            return {name: each.spec for name, each in specs.current(connection).items()}

    def all(self) -> Iterator[PipelineInfo]:
        """Pipelines by name."""
        with self._database.read() as connection:
            yield from [*specs.infos(connection)]

    def inspect(self, name: str) -> PipelineInfo:
        """One pipeline, or `NotFound`."""
        with self._database.read() as connection:
            return specs.info(connection, name)

    def delete(self, name: str, *, keep_output: bool = False, force: bool = False) -> None:
        """Remove a pipeline with its jobs, and its output with it.

        Parameters
        ----------
        keep_output
            Leave the repository of the output.
        force
            Although other pipelines read its output: they get nothing new any more.

        Raises
        ------
        Conflict
            If other pipelines read its output.
        """
        with self._database.read() as connection:
            versions = specs.current(connection)
            held = specs.version(connection, name)
            jobs = [row.id for row in history.listing(connection, name)]
        graph = {each: version.spec for each, version in versions.items()}
        readers = sorted(each for each, above in upstream(graph).items() if name in above)
        if readers and not force:
            raise Conflict(
                f"{', '.join(readers)} read the output of pipeline {name!r}",
                fix="delete them first, or force the deletion",
            )
        with self._database.write() as connection:
            specs.remove(connection, name)
        for job in jobs:
            self._logs.delete(log_name(name, job))
            self._run_files.delete(log_name(name, job))
        remove_repos(self._store, held.spec, keep_output=keep_output)

    def pause(self, name: str, *, paused: bool) -> None:
        """Have a pipeline's jobs wait, or go on; datums that run are let run."""
        with self._database.write() as connection:
            specs.pause(connection, name, paused=paused)
        if not paused:
            self.ensure_controller()

    def run(self, name: str, commits: Mapping[str, str] | None = None) -> str:
        """Make a job by hand: on the inputs as they are, or on given commits. A clock among them ticks.

        Parameters
        ----------
        commits
            Refs by repositories of inputs.

        Returns
        -------
        str
            Its id.
        """
        with self._database.read() as connection:
            spec = specs.version(connection, name).spec
        moment = datetime.now(timezone.utc)
        for leaf in spec.input.leaves():
            if isinstance(leaf, Cron):
                put_tick(self._store, leaf, moment)
        heads = current_heads(self._store, spec)
        for repo, ref in (commits or {}).items():
            read = [pair for pair in branches(spec) if pair[0] == repo]
            if not read:
                raise Invalid(f"{repo} is no input of {name}", fix="name one of its inputs")
            heads |= dict.fromkeys(read, self._store.read(repo, ref).commit.id)
        id = new_id()
        with self._database.write() as connection:
            plan(connection, id, {name: heads}, heads=heads)
            if not commits:
                specs.set_cursors(connection, name, heads)
        self.ensure_controller()
        return id

    # jobs

    def jobs(self, pipeline: str = "", id: str = "") -> Iterator[Job]:
        """Jobs, newest first: of a pipeline, or with a global id or the beginning of one."""
        if pipeline:
            self.inspect(pipeline)
        return history.pages(self._database.read, pipeline, id)

    def jobs_part(
        self, pipeline: str = "", id: str = "", *, before: int | None = None, limit: int
    ) -> Part[Job]:
        """At most ``limit`` of these `jobs`; ``before`` is the ``next`` of the part before."""
        with self._database.read() as connection:
            if pipeline:
                specs.info(connection, pipeline)
            return history.part(connection, pipeline, id, before, limit)

    def job(self, pipeline: str, id: str) -> Job:
        """One job by its id or the beginning of it, or `NotFound`."""
        return history.job(self._row(pipeline, id))

    def stop_job(self, pipeline: str, id: str, reason: str = "stopped by hand") -> None:
        """Have a job end; `Conflict` if it is over."""
        with self._database.write() as connection:
            history.request_stop(connection, history.find(connection, pipeline, id), reason)
        self.ensure_controller()

    def rerun_job(self, pipeline: str, id: str, *, failed: bool = False) -> str:
        """Make a new job on the commits of another one, with the pipeline's spec as it is now.

        Parameters
        ----------
        failed
            Take over what has succeeded, and run only the rest.

        Returns
        -------
        str
            Its id.
        """
        row = self._row(pipeline, id)
        given = {(each.repo, each.branch): each.commit for each in row.input if each.commit}
        if not given:
            raise Conflict(f"job {pipeline}@{row.id} has read nothing", fix="run pipeline makes a new job")
        new = new_id()
        with self._database.write() as connection:
            plan(connection, new, {pipeline: given}, heads=given, anew="" if failed else pipeline)
        self.ensure_controller()
        return new

    def wait_job(self, pipeline: str, id: str, *, timeout: float | None = None) -> Job:
        """Block until a job is over; `Unavailable` after ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            found = self.job(pipeline, id)
            if found.state in FINAL:
                return found
            if deadline is not None and time.monotonic() > deadline:
                raise Unavailable(
                    f"job {found.name} is {found.state} after {timeout:g} s", fix="wait longer, or stop it"
                )
            time.sleep(_POLL)

    # datums and logs

    def datums(self, pipeline: str, id: str, *states: DatumState) -> Iterator[DatumInfo]:
        """The datums of a job, in order; only those in some states, if given."""
        return work.infos(self._database, self._row(pipeline, id), states)

    def datums_part(
        self, pipeline: str, id: str, *states: DatumState, after: int | None = None, limit: int
    ) -> Part[DatumInfo]:
        """At most ``limit`` of these `datums`; ``after`` is the ``next`` of the part before."""
        with self._database.read() as connection:
            row = history.find(connection, pipeline, id)
            return work.part(connection, row, states, after, limit)

    def datum(self, pipeline: str, id: str, datum: str) -> DatumInfo:
        """One datum of a job by its id or the beginning of it, or `NotFound`."""
        row = self._row(pipeline, id)
        with self._database.read() as connection:
            return work.find(connection, row, datum)

    def log(
        self, pipeline: str, id: str, after: str = "", *, datum: str = "", failed: bool = False
    ) -> LogPart:
        """What a job has printed; see `read_on`."""
        row = self._row(pipeline, id)
        if datum and row.state not in {"created", "starting"}:  # else it may still be looking for its datums
            with self._database.read() as connection:
                datum = work.find(connection, row, datum).id
        name = f"{pipeline}@{row.id}"
        part = read_on(self._logs, log_name(pipeline, row.id), name, after, datum=datum, failed=failed)
        return replace(part, ended=row.finished is not None and not part.more)

    def runs(self, pipeline: str, id: str) -> list[ShownRun]:
        """The runs of a job in its experiment tracker, as this machine knows them."""
        with self._database.read() as connection:
            row = history.find(connection, pipeline, id)
            how = tracks(specs.version(connection, pipeline, row.version).spec)
        if how is None or row.tracking is None:
            return []
        return shown_runs(self._run_files, log_name(pipeline, row.id), how, row.tracking)

    def log_lines(
        self, pipeline: str, id: str, *, datum: str = "", failed: bool = False, follow: bool = False
    ) -> Iterator[Line]:
        """The lines of the logs of a job; with ``follow`` until it is over, as they come."""
        after = ""
        while True:
            part = self.log(pipeline, id, after, datum=datum, failed=failed)
            yield from part.items
            if part.ended or not (part.more or follow):
                return
            if not part.more and not part.items:
                time.sleep(_POLL)
            after = part.next

    def try_datum(self, spec: PipelineSpec, datum: str, *, to: Path | None, tell: Tell) -> Trial:
        """Run a spec on one datum of the data that is there, and commit nothing.

        Parameters
        ----------
        datum, to, tell
            As for `trial.choose` and `trial.try_datum`.
        """
        from .trial import choose, try_datum

        frozen = self._frozen(spec)
        heads = current_heads(self._store, spec)
        chosen = choose(self._store, frozen.spec, heads, self.code(frozen.spec), datum)
        return try_datum(self._config, self._store, frozen, chosen, to=to, tell=tell)

    # explaining

    def explain(self, spec: PipelineSpec, heads: Heads) -> Iterator[Explained]:
        """Say of each datum of a spec what a job on these commits would do with it, and why."""
        spec = self._frozen(spec).spec
        earlier, code = self.earlier(spec.name), self.code(spec)
        with Scratch() as scratch:
            yield from explain(self._store, spec, heads, code, earlier=earlier, scratch=scratch)

    def earlier(self, name: str) -> work.EarlierJobs:
        """What is known of a pipeline's jobs, for `explain`; also of one that there is not."""
        return work.EarlierJobs(self._database, name)

    def code(self, spec: PipelineSpec) -> Code:
        """The code that a job of a spec would run if it was made now."""
        try:
            with self._database.read() as connection:
                salt = specs.version(connection, spec.name).salt
        except NotFound:
            salt = ""
        with suppress(NotFound):
            return salted_code(spec, salt, self._secrets)
        return code_of(spec)

    def watch(self) -> Changes:
        """What to ask again and again for what has changed."""
        return Changes(self._database)

    def ensure_controller(self) -> None:
        """Have a controller run."""
        ensure_controller(self._config, self._database)

    def _checked(self, wanted: Sequence[PipelineSpec], held: Mapping[str, PipelineSpec]) -> list[Frozen]:
        """Specs in the order in which they have to be made; raises unless all of them can work."""
        ready = {each.name: with_triggers(each) for each in wanted}
        if len(ready) < len(wanted):
            raise Invalid("two of the specs have one name", fix="rename one of them")
        graph = {**held, **ready}
        order = in_order(graph)
        for each in ready.values():
            current_heads(self._store, each, expected=graph)
        return [self._frozen(ready[name]) for name in order if name in ready]

    def _frozen(self, spec: PipelineSpec) -> Frozen:
        return freeze(self._store, spec, spec_repo(spec.name))

    def _free_id(self, names: Sequence[str], heads: Mapping[Branch, str]) -> str:
        """The id of the newest of these commits, unless an output has a commit of this id already."""
        commits = [self._store.inspect_commit(repo, head) for (repo, _), head in heads.items()]
        newest = max(commits, key=lambda each: each.finished or each.started, default=None)
        if newest is None or any(has_commit(self._store, name, newest.id) for name in names):
            return new_id()
        with self._database.read() as connection:
            taken = history.listing(connection, id=newest.id)
        return new_id() if taken else newest.id

    def _row(self, pipeline: str, id: str) -> history.JobRow:
        with self._database.read() as connection:
            return history.find(connection, pipeline, id)
