"""Lineage in Weights & Biases: commits as artifacts that point at data instead of copying it.

>>> run = wandb.init()
>>> dvm.wandb.use_input(run, "images@master")
>>> dvm.wandb.log_output(run, "models@master", name="model")
>>> dvm.wandb.resolve(run.use_artifact("model:latest"))
PosixPath('…/models')
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .notebook import mount, open_store
from .store import DEFAULT_BRANCH, Invalid, Location, parse

if TYPE_CHECKING:
    from wandb import Artifact, Run

_ENTRY = "data"
_INPUTS = "dvm_inputs"
_TYPE = "dataset"


def use_input(run: Run, location: str, *, name: str | None = None) -> Artifact:
    """Record that a run reads a commit.

    Parameters
    ----------
    run
        Of ``wandb.init()``.
    location
        ``repo@branch``, ``repo@commit`` or a ``dvm://`` URI, such as those in ``DVM_INPUTS`` of a job.
    name
        Of the artifact; by default the repository's.

    Returns
    -------
    wandb.Artifact
        One reference, ``dvm://repo@commit/``: nothing is uploaded, and the same commit is the same version.

    Raises
    ------
    StoreError
        If there is no such commit.

    Notes
    -----
    An offline run cannot use artifacts; the commit is in its configuration as ``dvm_inputs`` in any case.
    """
    place = _commit(location)
    known = dict(run.config).get(_INPUTS, [])
    run.config.update({_INPUTS: [*known, place.uri]}, allow_val_change=True)  # type: ignore[no-untyped-call]
    artifact = _artifact(place, name)
    return artifact if run.offline else run.use_artifact(artifact)


def log_output(run: Run, location: str | None = None, *, name: str | None = None) -> Artifact:
    """Record that a run made a commit.

    Parameters
    ----------
    run
        Of ``wandb.init()``.
    location
        As for `use_input`; by default the output commit of the job that this process belongs to, which is
        finished only after the process has ended.
    name
        Of the artifact; by default the repository's.

    Raises
    ------
    Invalid
        If there is neither a location nor a job.
    StoreError
        If there is no such commit.
    """
    if location is not None:
        return run.log_artifact(_artifact(_commit(location), name))
    output = os.environ.get("DVM_OUTPUT", "")
    if not output:
        raise Invalid(
            "this process belongs to no job", fix="say which commit: log_output(run, 'repo@branch')"
        )
    return run.log_artifact(_artifact(parse(output), name))


def resolve(artifact: Artifact) -> Path:
    """Mount the commit that an artifact of `use_input` or `log_output` points at.

    Raises
    ------
    Invalid
        If the artifact has no ``dvm://`` reference.
    StoreError
        If the store of this user has no such commit.
    """
    references = [str(entry.ref) for entry in artifact.manifest.entries.values() if entry.ref]
    ours = [ref for ref in references if ref.startswith("dvm://")]
    if not ours:
        raise Invalid(
            f"artifact {artifact.name} points at no commit", fix="use artifact.download() for its own files"
        )
    place = parse(ours[0])
    return mount(f"{place.repo}@{place.ref}", name=f"{place.repo.replace('/', '-')}-{place.ref[:12]}")


def _commit(location: str) -> Location:
    place = parse(location)
    with open_store() as store:
        commit = store.inspect_commit(place.repo, place.ref or DEFAULT_BRANCH)
    return Location(repo=place.repo, ref=commit.id)


def _artifact(place: Location, name: str | None) -> Artifact:
    import wandb

    metadata: dict[str, Any] = {
        "repo": place.repo,
        "commit": place.ref,
        "job": os.environ.get("DVM_JOB", ""),
        "pipeline": os.environ.get("PPS_PIPELINE_NAME", ""),
        "url": os.environ.get("DVM_JOB_URL", ""),
    }
    known = {key: value for key, value in metadata.items() if value}
    artifact = wandb.Artifact(name or place.repo.replace("/", "-"), type=_TYPE, metadata=known)
    artifact.add_reference(place.uri, name=_ENTRY, checksum=False)
    return artifact
