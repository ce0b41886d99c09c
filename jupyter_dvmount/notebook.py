"""What a notebook or a script needs: mount a commit, read its files with ``open()``.

>>> import jupyter_dvmount as dvm
>>> images = dvm.mount("images@master")
>>> (images / "animals" / "cat.png").open("rb").read()
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import ParamSpec, TypeVar

from .config import load_config
from .mounting.model import Mount, Unmounted
from .store import DEFAULT_BRANCH, Invalid, StoreError, VersionStore, parse
from .store import open_store as open_url

if TYPE_CHECKING:
    from .mounting.manager import MountManager
    from .pipelines.jobs import Job
    from .pipelines.service import Pipelines
    from .pipelines.spec import PipelineSpec

P = ParamSpec("P")
T = TypeVar("T")


def _short(function: Callable[P, T]) -> Callable[P, T]:
    """Let errors show what failed and what to do, and not the way through this package."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except StoreError as error:
            error.args = (error.line,)
            raise error.with_traceback(None) from None

    return call


@_short
def open_store(url: str | None = None) -> VersionStore:
    """Open the version store.

    Parameters
    ----------
    url
        Where it is, or its name in the configuration file; by default as everywhere: ``DVMOUNT_STORE``,
        the configuration file, the embedded store of this user.

    Returns
    -------
    VersionStore
        To be closed, or used in a ``with`` statement.

    Raises
    ------
    StoreError
        If it cannot be opened.
    """
    return open_url(load_config(store=url).store)


@_short
def mount(location: str, name: str | os.PathLike[str] | None = None, follow: bool = False) -> Path:
    """Make the files of a commit ordinary, read-only local files.

    Mounting what is mounted already returns the same path, so a cell may be run again.

    Parameters
    ----------
    location
        ``repo@branch``, ``repo@commit`` or ``repo`` for its default branch.
    name
        Its name in the mount root, or, with a slash in it, the path itself. By default the repository's.
    follow
        Move to the branch's new commits as they are made. By default the mount stays at its commit.

    Returns
    -------
    Path
        The directory. Its ``resolve()`` names the exact commit.

    Raises
    ------
    StoreError
        If there is no such commit or the name is taken.
    """
    place = parse(location)
    if place.path != "/":
        raise Invalid(
            f"{location!r} names a path",
            fix=f"mount {place.repo}@{place.ref or DEFAULT_BRANCH}, which is cheap",
        )
    text = None if name is None else os.fspath(name)
    directory = Path(os.path.abspath(text)) if text and "/" in text else None  # noqa: PTH100 - not a link's target
    with _manager() as manager:
        made = manager.mount(
            place.repo,
            place.ref or DEFAULT_BRANCH,
            name=None if directory else text,
            directory=directory,
            follow=follow,
        )
    return Path(made.path)


@_short
def unmount(name: str | os.PathLike[str]) -> Unmounted:
    """Take a mount away.

    Parameters
    ----------
    name
        The mount's name, or the path that `mount` returned.

    Returns
    -------
    Unmounted
        With the processes that still have files of it open; they can go on reading.

    Raises
    ------
    StoreError
        If nothing of that name is mounted.
    """
    text = os.fspath(name)
    with _manager() as manager:
        return manager.unmount(os.path.abspath(text) if "/" in text else text)  # noqa: PTH100


@_short
def mounts() -> list[Mount]:
    """List what is mounted.

    Returns
    -------
    list of Mount
        Each with its name, path, repo, branch and commit, and whether its branch has moved.
    """
    with _manager() as manager:
        return manager.list()


@_short
def pipeline(
    name: str,
    *,
    input: str | Mapping[str, Any] | None = None,
    cmd: Sequence[str] = (),
    stdin: Sequence[str] = (),
    notebook: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    **fields: Any,
) -> PipelineHandle:
    """A pipeline: one that is there, or with an ``input`` one to be made.

    >>> dvm.pipeline("edges", input="images@master:/*.png", cmd=["python3", "/edges.py"]).create()

    Parameters
    ----------
    name
        The pipeline.
    input
        ``repo@branch:/glob``; several as ``{"name": "repo@branch:/glob", …}``, whose combinations are the
        datums; or an input as in a spec.
    cmd, stdin
        What to run, and the lines of its standard input.
    notebook
        A notebook to run instead: its path, or ``{"path": …, "parameters": {…}}`` as in a spec.
    fields
        Further fields of a spec, such as ``datum_tries=1``. Those of ``transform`` are given as
        ``transform={"image": …}``.

    Returns
    -------
    PipelineHandle
        Nothing happens before one of its methods is called.

    Raises
    ------
    StoreError
        If that cannot be a spec.
    """
    if input is None:
        return PipelineHandle(name)
    from .pipelines.spec import frame, parse_value

    transform = {"cmd": [*cmd], "stdin": [*stdin], **fields.pop("transform", {})}
    if notebook is not None:
        fields["notebook"] = notebook if isinstance(notebook, Mapping) else {"path": os.fspath(notebook)}
    spec = {**frame(name, input), "transform": transform, **fields}
    return PipelineHandle(name, parse_value(spec).spec)


@_short
def job(name: str) -> JobHandle:
    """A job, by ``pipeline@id``; the first digits of the id do.

    Raises
    ------
    StoreError
        If there is none.
    """
    place = parse(name)
    with open_pipelines() as pipelines:
        found = pipelines.job(place.repo, place.ref)
    return JobHandle(found.pipeline, found.id)


class PipelineHandle:
    """A pipeline, from `pipeline`."""

    def __init__(self, name: str, spec: PipelineSpec | None = None) -> None:
        self.name = name
        self.spec = spec

    @_short
    def create(self) -> PipelineHandle:
        """Make it, and have it run on the data that is there and on each new commit."""
        with open_pipelines() as pipelines:
            pipelines.create([self._spec()])
        return self

    @_short
    def update(self, *, reprocess: bool = False) -> PipelineHandle:
        """Change it to this spec, or make it; with ``reprocess`` every datum runs again."""
        with open_pipelines() as pipelines:
            pipelines.update([self._spec()], reprocess=reprocess)
        return self

    @_short
    def try_datum(self, datum: str = "", to: str | os.PathLike[str] | None = None) -> Path:
        """Run its code on one datum here, before it is made; nothing is committed.

        Parameters
        ----------
        datum
            The beginning of its id, or the path of an input; by default the first.
        to
            Directory for its output, new or empty; by default one named after the pipeline and the datum.

        Returns
        -------
        Path
            That directory.

        Raises
        ------
        StoreError
            If the code fails, or cannot be run.
        """
        spec = self._spec()
        target = Path(to) if to is not None else None
        with open_pipelines() as pipelines:
            trial = pipelines.try_datum(spec, datum, to=target, tell=print)
        if trial.outcome.state != "success":
            reason = f"datum {trial.datum.id[:12]} ended as {trial.outcome.state}: {trial.outcome.reason}"
            raise Invalid(reason, fix=f"what it has left is in {trial.directory}")
        return trial.directory

    @_short
    def run(self) -> JobHandle:
        """Make a job now."""
        with open_pipelines() as pipelines:
            return JobHandle(self.name, pipelines.run(self.name))

    @_short
    def jobs(self) -> list[JobHandle]:
        """Its jobs, newest first."""
        with open_pipelines() as pipelines:
            return [JobHandle(each.pipeline, each.id) for each in pipelines.jobs(self.name)]

    @_short
    def delete(self) -> None:
        """Remove it with its jobs and its output."""
        with open_pipelines() as pipelines:
            pipelines.delete(self.name)

    def __repr__(self) -> str:
        return f"pipeline({self.name!r})"

    def _spec(self) -> PipelineSpec:
        if self.spec is None:
            raise Invalid(
                f"pipeline {self.name!r} is given by its name alone", fix="give its input and cmd, too"
            )
        return self.spec


class JobHandle:
    """A job, from `job` or `PipelineHandle`."""

    def __init__(self, pipeline: str, id: str) -> None:
        self.pipeline = pipeline
        self.id = id

    @property
    def info(self) -> Job:
        """All that is known of it, now."""
        with open_pipelines() as pipelines:
            return pipelines.job(self.pipeline, self.id)

    @property
    def state(self) -> str:
        """Its state, now."""
        return self.info.state

    @property
    def run_url(self) -> str | None:
        """The page of its run in the experiment tracker; None where there is none."""
        tracking = self.info.tracking
        return tracking.url or None if tracking is not None else None

    @property
    def output(self) -> str | None:
        """Its output commit, as `mount` takes it; None until it is begun."""
        commit = self.info.output_commit
        return f"{commit.repo}@{commit.id}" if commit is not None else None

    @_short
    def wait(self, timeout: float | None = None) -> JobHandle:
        """Block until it is over; `StoreError` after ``timeout`` seconds."""
        with open_pipelines() as pipelines:
            pipelines.wait_job(self.pipeline, self.id, timeout=timeout)
        return self

    @_short
    def logs(self) -> str:
        """What its code has printed so far, datum by datum."""
        with open_pipelines() as pipelines:
            lines = pipelines.log_lines(self.pipeline, self.id)
            return "".join(f"{line.text}\n" for line in lines if not line.engine)

    @_short
    def stop(self) -> None:
        """End it at once."""
        with open_pipelines() as pipelines:
            pipelines.stop_job(self.pipeline, self.id)

    def __repr__(self) -> str:
        return f"job('{self.pipeline}@{self.id}')"


@contextmanager
def open_pipelines() -> Iterator[Pipelines]:
    """The pipelines of the store, while they are used."""
    from .pipelines.service import Pipelines

    config = load_config()
    with open_url(config.store, create=False) as store, closing(Pipelines(config, store)) as pipelines:
        yield pipelines


@contextmanager
def _manager() -> Iterator[MountManager]:
    from .mounting.lazy import lazy_manager

    config = load_config()
    with ExitStack() as stack:
        opener = cache(lambda: stack.enter_context(open_url(config.store, create=False)))
        yield lazy_manager(config, opener)
