"""The spec of a pipeline as records, with Pachyderm's field names and defaults.

What people wrote is kept: durations and quantities stay text, and a property beside each gives the number.
Each field is described once, in its annotation: the published JSON Schema takes it from there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from jupyter_dvmount.store import DEFAULT_BRANCH
from jupyter_dvmount.units import cores, seconds, size

DEFAULT_PROJECT = "default"
"""The project of the repositories whose names have none."""
DATUM_TRIES = 3
"""Attempts a datum gets where a spec does not say; Pachyderm's default."""
IGNORED = "ignored"
"""Key in the ``extra`` of a field that is accepted and has no effect here; its value says why."""


def _ignored(why: str) -> Meta:
    return Meta(description=f"Accepted without effect: {why}.", extra={IGNORED: why})


_CLUSTER = "there is no Kubernetes here"
OnCluster = Annotated[Any, _ignored(_CLUSTER)]
Count = Annotated[int, Meta(ge=0)]
Quantity = float | str
Text = tuple[str, ...]
_IN_STORE = re.compile(r"[^@:]+@[^:]+:/")
_FROZEN = re.compile(r"\.spec@[^:]+:/notebooks/(?P<hash>[0-9a-f]{64})\.ipynb\Z")


class _Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Part of a spec."""


class ProjectName(_Part, frozen=True, kw_only=True):
    """A project, as Pachyderm writes it."""

    name: str = DEFAULT_PROJECT


class Pipeline(_Part, frozen=True, kw_only=True):
    """What the pipeline is called."""

    name: Annotated[str, Meta(description="Name of the pipeline and of its output repository.")]
    project: Annotated[str | ProjectName, Meta(description="Project of the pipeline.")] = DEFAULT_PROJECT

    @property
    def repo(self) -> str:
        """Name of the output repository in the store, and of the pipeline."""
        project = self.project if isinstance(self.project, str) else self.project.name
        return store_name(project, self.name)


class Secret(_Part, frozen=True, kw_only=True):
    """A secret that the code gets as an environment variable or as files."""

    name: Annotated[str, Meta(description="Name of the secret.")]
    key: Annotated[str, Meta(description="Which value of the secret goes into env_var.")] = ""
    env_var: Annotated[str, Meta(description="Environment variable that gets the value of key.")] = ""
    mount_path: Annotated[str, Meta(description="Directory in which each key is a file.")] = ""


class Transform(_Part, frozen=True, kw_only=True):
    """The code."""

    image: Annotated[str, Meta(description="Container image to run in, where there are containers.")] = ""
    image_required: Annotated[
        bool, Meta(description="Never run without the image, also where there are no containers.")
    ] = False
    cmd: Annotated[Text, Meta(description="Program and arguments; no shell.")] = ()
    stdin: Annotated[Text, Meta(description="Lines that cmd gets on standard input.")] = ()
    env: Annotated[dict[str, str], Meta(description="Environment variables.")] = {}
    secrets: tuple[Secret, ...] = ()
    err_cmd: Annotated[Text, Meta(description="Run when cmd failed; if it succeeds, so does the job.")] = ()
    err_stdin: Annotated[Text, Meta(description="Lines that err_cmd gets on standard input.")] = ()
    accept_return_code: Annotated[
        tuple[Annotated[int, Meta(ge=0, le=255)], ...],
        Meta(description="Exit statuses that count as success, besides 0."),
    ] = ()
    working_dir: Annotated[str, Meta(description="Absolute directory to run in.")] = ""
    user: Annotated[str, Meta(description="User to run as, in the image.")] = ""
    datum_batching: Annotated[Any, _ignored("each datum has a process of its own")] = None
    image_pull_secrets: OnCluster = None
    memory_volume: OnCluster = None
    dockerfile: Annotated[Any, _ignored("images are not built here")] = None
    build: Annotated[Any, _ignored("images are not built here")] = None
    debug: Annotated[Any, _ignored("logs are complete anyway")] = None


class Trigger(_Part, frozen=True, kw_only=True):
    """When commits of another branch are taken over; the first condition that holds, or ``all``."""

    branch: Annotated[str, Meta(description="Branch that is watched.")] = ""
    all: Annotated[bool, Meta(description="All conditions have to hold.")] = False
    cron_spec: Annotated[str, Meta(description="At these times.")] = ""
    rate_limit_spec: Annotated[str, Meta(description="Not more often than this.")] = ""
    size: Annotated[Quantity, Meta(description="When so many bytes have changed.")] = ""
    commits: Annotated[Count, Meta(description="After so many commits.")] = 0


class Pfs(_Part, frozen=True, kw_only=True):
    """Files of a repository's branch."""

    repo: Annotated[str, Meta(description="Repository.")]
    glob: Annotated[str, Meta(description="Each match is a datum; '/' takes everything as one.")] = ""
    name: Annotated[str, Meta(description="Directory below /pfs; by default the repository's name.")] = ""
    project: Annotated[str, Meta(description="The repository's project; by default the pipeline's.")] = ""
    branch: Annotated[str, Meta(description="Branch that is followed.")] = DEFAULT_BRANCH
    join_on: Annotated[str, Meta(description="What has to be equal in a join, such as '$1'.")] = ""
    outer_join: Annotated[bool, Meta(description="In a join, keep files without a match.")] = False
    group_by: Annotated[str, Meta(description="What is equal within a group, such as '$1'.")] = ""
    lazy: Annotated[bool, Meta(description="Read files only when they are opened.")] = False
    empty_files: Annotated[bool, Meta(description="Show names only: every file is empty.")] = False
    trigger: Trigger | None = None
    repo_type: OnCluster = None
    s3: Annotated[Any, _ignored("the files are below /pfs as ever")] = None

    @property
    def source(self) -> str:
        """Name of the repository in the store."""
        return store_name(self.project, self.repo)


class Cron(_Part, frozen=True, kw_only=True):
    """Ticks of a clock, as files of a repository."""

    name: Annotated[str, Meta(description="Directory below /pfs.")]
    spec: Annotated[str, Meta(description="Cron expression, '@daily', '@every 1h30m' or '@never'.")]
    repo: Annotated[str, Meta(description="Repository of the ticks; by default <pipeline>_<name>.")] = ""
    project: Annotated[str, Meta(description="The repository's project; by default the pipeline's.")] = ""
    start: Annotated[str, Meta(description="RFC 3339 time to count from.")] = ""
    overwrite: Annotated[bool, Meta(description="Keep the newest tick only.")] = False

    @property
    def source(self) -> str:
        """Name of the repository in the store."""
        return store_name(self.project, self.repo)


class Input(_Part, frozen=True, kw_only=True):
    """The data: exactly one of these."""

    pfs: Pfs | None = None
    cross: Annotated[tuple[Input, ...], Meta(description="Every combination.")] = ()
    union: Annotated[tuple[Input, ...], Meta(description="The datums of each.")] = ()
    join: Annotated[tuple[Input, ...], Meta(description="Combinations with equal join_on.")] = ()
    group: Annotated[tuple[Input, ...], Meta(description="A datum for each value of group_by.")] = ()
    cron: Cron | None = None

    @property
    def kind(self) -> str:
        """Name of the field that is set."""
        return next((name for name in self.__struct_fields__ if getattr(self, name)), "")

    @property
    def children(self) -> tuple[Input, ...]:
        """The inputs that this one combines."""
        return self.cross or self.union or self.join or self.group

    def leaves(self) -> Iterator[Pfs | Cron]:
        """The repositories that it reads, in the order in which they are written."""
        leaf = self.pfs or self.cron
        if leaf is not None:
            yield leaf
        for child in self.children:
            yield from child.leaves()


class ParallelismSpec(_Part, frozen=True, kw_only=True):
    """How many datums run at a time."""

    constant: Annotated[Count, Meta(description="So many workers; 0 leaves it to the executor.")] = 0


class DatumSetSpec(_Part, frozen=True, kw_only=True):
    """How many datums are handed out together."""

    number: Count = 0
    size_bytes: Count = 0
    per_worker: Count = 0


class Gpu(_Part, frozen=True, kw_only=True):
    """Graphics processors."""

    type: str = ""
    number: Count = 0


class Resources(_Part, frozen=True, kw_only=True):
    """What a datum needs or may use."""

    cpu: Annotated[Quantity, Meta(description="Cores, such as 0.5 or '500m'.")] = ""
    memory: Annotated[Quantity, Meta(description="Bytes, such as '512Mi'.")] = ""
    disk: Annotated[Quantity, Meta(description="Bytes of scratch space, such as '2G'.")] = ""
    gpu: Gpu | None = None

    @property
    def cpu_cores(self) -> float:
        """Cores; 0 where nothing is said."""
        return cores(self.cpu)

    @property
    def memory_bytes(self) -> int:
        """Bytes of memory; 0 where nothing is said."""
        return size(self.memory)

    @property
    def disk_bytes(self) -> int:
        """Bytes of scratch space; 0 where nothing is said."""
        return size(self.disk)


class ObjectStorage(_Part, frozen=True, kw_only=True):
    """Object storage to export to."""

    url: str = ""


class Egress(_Part, frozen=True, kw_only=True):
    """Where the output is copied after a job."""

    URL: Annotated[str, Meta(description="s3://bucket/prefix, file:///directory or /directory.")] = ""
    object_storage: ObjectStorage | None = None
    sql_database: Annotated[Any, _ignored("output is exported to S3 or a directory only")] = None

    @property
    def target(self) -> str:
        """The URL, however it was given; empty for none."""
        return self.URL or (self.object_storage.url if self.object_storage else "")


class Metadata(_Part, frozen=True, kw_only=True):
    """Words of the user about the pipeline; no effect."""

    annotations: dict[str, str] = {}
    labels: dict[str, str] = {}


class Notebook(_Part, frozen=True, kw_only=True):
    """A notebook to run instead of ``transform.cmd``."""

    path: Annotated[str, Meta(description="A file, looked for beside the spec, or repo@ref:/path.")]
    parameters: Annotated[dict[str, Any], Meta(description="Values for its parameters cell.")] = {}
    kernel: Annotated[str, Meta(description="Name of the kernel; by default the notebook's own.")] = ""
    requirements: Annotated[
        Text, Meta(description="Kept beside the frozen copy; by default what is installed.")
    ] = ()

    @property
    def in_store(self) -> bool:
        """Whether the path names a file of the store."""
        return _IN_STORE.match(self.path) is not None

    @property
    def hash(self) -> str:
        """Hash of the frozen copy that the path names; empty if it names none."""
        found = _FROZEN.search(self.path)
        return found["hash"] if found else ""


class Tracking(_Part, frozen=True, kw_only=True):
    """How runs appear in an experiment tracker."""

    provider: Annotated[str, Meta(description="Name of the tracker.")] = "wandb"
    project: Annotated[str, Meta(description="The tracker's project; by default the pipeline.")] = ""
    entity: Annotated[str, Meta(description="User or team; by default the key's own.")] = ""
    base_url: Annotated[str, Meta(description="The tracker's server, if not the public one.")] = ""
    run_per: Annotated[Literal["job", "datum"], Meta(description="What makes one run.")] = "job"
    tags: Text = ()


class PipelineSpec(_Part, frozen=True, kw_only=True):
    """Everything that makes a pipeline."""

    pipeline: Pipeline
    description: str = ""
    transform: Transform = Transform()
    notebook: Notebook | None = None
    input: Input
    parallelism_spec: ParallelismSpec = ParallelismSpec()
    datum_set_spec: DatumSetSpec = DatumSetSpec()
    datum_timeout: Annotated[str, Meta(description="Longest time of a datum, such as '10m'.")] = ""
    job_timeout: Annotated[str, Meta(description="Longest time of a job, such as '1h30m'.")] = ""
    datum_tries: Annotated[Count, Meta(description="Attempts a datum gets.")] = DATUM_TRIES
    resource_requests: Resources = Resources()
    resource_limits: Resources = Resources()
    reprocess_spec: Annotated[
        Literal["until_success", "every_job"], Meta(description="Whether a datum that succeeded runs again.")
    ] = "until_success"
    output_branch: Annotated[str, Meta(description="Branch of the output.")] = DEFAULT_BRANCH
    autoscaling: Annotated[bool, Meta(description="Accepted; workers come and go with the work anyway.")] = (
        False
    )
    salt: Annotated[str, Meta(description="Change it to run everything again.")] = ""
    metadata: Metadata = Metadata()
    egress: Egress = Egress()
    tracking: Tracking | None = None
    pod_spec: OnCluster = None
    pod_patch: OnCluster = None
    scheduling_spec: OnCluster = None
    tolerations: OnCluster = None
    sidecar_resource_requests: OnCluster = None
    sidecar_resource_limits: OnCluster = None
    service: Annotated[Any, _ignored("pipelines here run jobs and end")] = None
    spout: Annotated[Any, _ignored("pipelines here run jobs and end")] = None
    s3_out: Annotated[Any, _ignored("the output is /pfs/out as ever")] = None
    tf_job: OnCluster = None
    determined: Annotated[Any, _ignored("there is no Determined here")] = None
    update: Annotated[Any, _ignored("use 'update pipeline'")] = None
    reprocess: Annotated[Any, _ignored("use 'update pipeline --reprocess'")] = None
    dry_run: Annotated[Any, _ignored("use 'explain pipeline'")] = None

    @property
    def name(self) -> str:
        """The pipeline's name, which is its output repository's."""
        return self.pipeline.repo

    @property
    def datum_timeout_seconds(self) -> float:
        """Longest time of a datum; 0 for no limit."""
        return seconds(self.datum_timeout)

    @property
    def job_timeout_seconds(self) -> float:
        """Longest time of a job; 0 for no limit."""
        return seconds(self.job_timeout)

    @property
    def runs_every_job(self) -> bool:
        """Whether datums run again although they have succeeded."""
        return self.reprocess_spec == "every_job"


def store_name(project: str, name: str) -> str:
    """Name of a repository in the store: those of the default project have no prefix."""
    return name if project in {"", DEFAULT_PROJECT} else f"{project}/{name}"
