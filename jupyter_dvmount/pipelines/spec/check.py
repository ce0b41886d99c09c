"""What makes a spec valid beyond the types of its fields. Errors name the field by its path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from urllib.parse import urlsplit

from jupyter_dvmount.store import Invalid
from jupyter_dvmount.store.glob import compile_glob, expand
from jupyter_dvmount.store.uri import check_branch, check_name, check_repo
from jupyter_dvmount.tracking import tracker
from jupyter_dvmount.units import cores, seconds, size

from .cron import next_tick, start_time
from .fields import Warn
from .model import Cron, Egress, Input, Notebook, Pfs, PipelineSpec, Resources, Secret, Transform, Trigger

RESERVED = frozenset({"out", "PATH", "HOME", "LANG", "TZ", "PFS", "PFS_OUT"})
"""Names that an input cannot have: ``/pfs/out`` is the output, the others are variables of the job."""


def check(spec: PipelineSpec, warn: Warn) -> None:
    """Raise `Invalid` unless the spec can work; tell ``warn`` of what has no effect."""
    with _at("pipeline.name"):
        check_repo(spec.name)
    with _at("output_branch"):
        check_branch(spec.output_branch)
    _check_code(spec.transform, spec.notebook)
    _check_inputs(spec, warn)
    for name in ("datum_timeout", "job_timeout"):
        with _at(name):
            seconds(getattr(spec, name))
    sets = spec.datum_set_spec
    if sets.per_worker and (sets.number or sets.size_bytes):
        raise Invalid("datum_set_spec: per_worker excludes number and size_bytes", fix="keep one of them")
    _check_resources(spec.resource_requests, spec.resource_limits)
    _check_egress(spec.egress)
    if spec.tracking is not None:
        with _at("tracking.provider"):
            tracker(spec.tracking.provider)


@contextmanager
def _at(path: str) -> Iterator[None]:
    """Put the path of the field before an error."""
    try:
        yield
    except Invalid as error:
        raise Invalid(f"{path}: {error.message}", fix=error.fix) from error


# the code


def _check_code(transform: Transform, notebook: Notebook | None) -> None:
    if notebook is None and not "".join(transform.cmd[:1]):
        raise Invalid("transform.cmd is missing", fix='write what to run, such as ["python3", "edges.py"]')
    if notebook is not None and (transform.cmd or transform.stdin):
        raise Invalid("there is both a notebook and a transform.cmd", fix="keep one of them")
    if notebook is not None and not notebook.path:
        raise Invalid("notebook.path is empty", fix="name the notebook to run")
    for name in transform.env:
        if not name or "=" in name or "\0" in name:
            raise Invalid(f"transform.env: illegal name {name!r} of a variable", fix="rename it")
    for text in (*transform.cmd, *transform.err_cmd, *transform.env.values()):
        if "\0" in text:
            raise Invalid("transform: a NUL character in a command or variable", fix="take it out")
    if transform.err_stdin and not transform.err_cmd:
        raise Invalid("transform.err_stdin is there without err_cmd", fix="add transform.err_cmd")
    if transform.working_dir and not transform.working_dir.startswith("/"):
        raise Invalid("transform.working_dir is not absolute", fix="start it with a slash")
    for index, secret in enumerate(transform.secrets):
        with _at(f"transform.secrets[{index}]"):
            _check_secret(secret)


def _check_secret(secret: Secret) -> None:
    check_name(secret.name, "secret")
    if bool(secret.env_var) != bool(secret.key):
        raise Invalid("env_var and key belong together", fix="give both, or mount_path alone")
    if not secret.env_var and not secret.mount_path:
        raise Invalid("it is neither a variable nor a file", fix="add env_var and key, or mount_path")
    if "=" in secret.env_var or "\0" in secret.env_var:
        raise Invalid(f"illegal name {secret.env_var!r} of a variable", fix="rename it")
    path = secret.mount_path
    if path and (not path.startswith("/") or ".." in path.split("/") or f"{path}/".startswith("/pfs/")):
        raise Invalid(f"illegal mount_path {path!r}", fix="use an absolute path outside of /pfs")


# the data


def _check_inputs(spec: PipelineSpec, warn: Warn) -> None:
    def visit(node: Input, path: str, inside: frozenset[str]) -> set[str]:
        kind = _kind(node, path)
        path = f"{path}.{kind}"
        if "join" in inside and kind not in {"pfs", "union"}:
            raise Invalid(
                f"{path}: a join combines files only", fix="put pfs inputs or a union of them into it"
            )
        leaf = node.pfs or node.cron
        if leaf is not None:
            _check_leaf(leaf, path, inside, spec, warn)
            return {leaf.name}
        inside |= {kind}
        names = [visit(child, f"{path}[{index}]", inside) for index, child in enumerate(node.children)]
        return _check_names(names, path, together=kind != "union")

    visit(spec.input, "input", frozenset())


def _kind(node: Input, path: str) -> str:
    """Which field of an input is set; `Invalid` unless it is exactly one."""
    kinds = [name for name in node.__struct_fields__ if getattr(node, name)]
    if len(kinds) == 1:
        return kinds[0]
    what = f"has both {kinds[0]} and {kinds[1]}" if kinds else "is empty"
    raise Invalid(f"{path} {what}", fix=f"give exactly one of {', '.join(node.__struct_fields__)}")


def _check_names(parts: list[set[str]], path: str, *, together: bool) -> set[str]:
    """Names of all parts of an input; equal ones are refused where both are seen by one datum."""
    names: set[str] = set()
    for each in parts:
        if together and (twice := names & each):
            fix = "give one of them another 'name'"
            raise Invalid(f"{path}: two inputs are called {min(twice)!r}", fix=fix)
        names |= each
    return names


def _check_leaf(leaf: Pfs | Cron, path: str, inside: frozenset[str], spec: PipelineSpec, warn: Warn) -> None:
    with _at(f"{path}.name"):
        check_name(leaf.name, "input")
        if leaf.name in RESERVED:
            raise Invalid(f"an input cannot be called {leaf.name!r}", fix="give it another 'name'")
    with _at(f"{path}.repo"):
        check_repo(leaf.source)
        if leaf.source == spec.name:
            raise Invalid(f"{leaf.source} is the pipeline's own output", fix="name another repository")
    if isinstance(leaf, Pfs):
        _check_pfs(leaf, path, inside, warn)
    else:
        with _at(f"{path}.spec"):
            next_tick(leaf.spec, datetime.now(timezone.utc))
        with _at(f"{path}.start"):
            start_time(leaf.start)


def _check_pfs(pfs: Pfs, path: str, inside: frozenset[str], warn: Warn) -> None:
    with _at(f"{path}.branch"):
        check_branch(pfs.branch)
    with _at(f"{path}.glob"):
        captures = ("",) * compile_glob(pfs.glob).program.groups
    for field, text, place in (("join_on", pfs.join_on, "join"), ("group_by", pfs.group_by, "group")):
        with _at(f"{path}.{field}"):
            expand(text, captures)
            if place in inside and not text:
                raise Invalid(f"missing in a {place}", fix="write what has to be equal, such as '$1'")
        if text and place not in inside:
            warn(f"{path}.{field} has no effect: it is not in a {place}")
    if pfs.trigger is not None:
        with _at(f"{path}.trigger"):
            _check_trigger(pfs.trigger)


def _check_trigger(trigger: Trigger) -> None:
    if trigger.branch:
        check_branch(trigger.branch)
    size(trigger.size)
    for text in filter(None, (trigger.cron_spec, trigger.rate_limit_spec)):
        next_tick(text, datetime.now(timezone.utc))


# the rest


def _check_resources(requests: Resources, limits: Resources) -> None:
    for name, parse in (("cpu", cores), ("memory", size), ("disk", size)):
        values = []
        for group, resources in (("resource_requests", requests), ("resource_limits", limits)):
            with _at(f"{group}.{name}"):
                values.append(parse(getattr(resources, name)))
        if 0 < values[1] < values[0]:
            raise Invalid(f"resource_requests.{name} is above resource_limits.{name}", fix="raise the limit")


def _check_egress(egress: Egress) -> None:
    parts = urlsplit(egress.target)
    if not egress.target or (parts.scheme == "s3" and parts.netloc):
        return
    if parts.scheme in {"", "file"} and not parts.netloc and parts.path.startswith("/"):
        return
    raise Invalid(
        f"egress: cannot export to {egress.target!r}", fix="use s3://bucket/prefix or an absolute directory"
    )
