"""The id of a run, and the environment that makes a job's process use it.

The variables are those of wandb's documentation. Everything of ours that code may want has a name of its own
(``DVM_…``): wandb takes any ``WANDB_<X>`` for a setting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b

import msgspec

from jupyter_dvmount.tracking.model import Settings, TrackedJob

MAX_ID = 64
"""Characters of a run id that every server takes."""
_FLUSH_SECONDS = 1  # what a kill can cost
_DIGITS = 12
_DIRECTORIES = {
    "WANDB_DIR": "",
    "WANDB_CACHE_DIR": "/cache",
    "WANDB_CONFIG_DIR": "/config",
    "WANDB_DATA_DIR": "/data",
    "WANDB_ARTIFACT_DIR": "/artifacts",
}


def settings(variables: Mapping[str, str], defaults: Settings) -> Settings:
    """The settings of code that gets some variables of its own."""
    return msgspec.structs.replace(
        defaults,
        project=variables.get("WANDB_PROJECT") or defaults.project,
        entity=variables.get("WANDB_ENTITY") or defaults.entity,
        base_url=variables.get("WANDB_BASE_URL") or defaults.base_url,
    )


def run_id(job: TrackedJob, settings: Settings) -> str:
    """The global id, followed by what tells runs of one id apart: pipeline, datum, attempt."""
    ends = []
    if job.datum:
        ends.append(job.datum[:_DIGITS])
    if job.attempt > 1:
        ends.append(f"a{job.attempt}")
    room = MAX_ID - len("-".join([job.id, *ends])) - 1
    names = [_slug(job.pipeline, room)] if settings.shared else []
    return "-".join([job.id, *names, *ends])


def environment(job: TrackedJob, settings: Settings, directory: str, *, has_key: bool) -> dict[str, str]:
    """Variables for the job's process, without the key."""
    variables = {
        "WANDB_RUN_ID": run_id(job, settings),
        "WANDB_RESUME": "allow",
        "WANDB_PROJECT": settings.project,
        "WANDB_ENTITY": settings.entity,
        "WANDB_RUN_GROUP": job.id,
        "WANDB_JOB_TYPE": job.pipeline,
        "WANDB_NAME": f"{job.pipeline}@{job.id[:_DIGITS]}",
        "WANDB_TAGS": ",".join(_tags(job, settings)),
        "WANDB_NOTES": "\n".join(_notes(job)),
        "WANDB_BASE_URL": settings.base_url,
        "WANDB_MODE": "online" if has_key else "offline",
        "WANDB_INIT_TIMEOUT": "60",
        "WANDB_DISABLE_GIT": "true",
        "WANDB_X_DISABLE_META": "true",  # it would send the command line
        "WANDB_X_TRANSACTION_LOG_FLUSH_INTERVAL": str(_FLUSH_SECONDS),
        "DVM_INPUTS": " ".join(job.inputs),
        "DVM_OUTPUT": job.output,
        "DVM_JOB": f"{job.pipeline}@{job.id}",
        "DVM_JOB_URL": job.page,
    }
    variables |= {name: directory + end for name, end in _DIRECTORIES.items()}
    return {name: value for name, value in variables.items() if value}


def _tags(job: TrackedJob, settings: Settings) -> list[str]:
    tags = dict.fromkeys([*job.branches, job.pipeline, *settings.tags])
    return [tag[:MAX_ID].replace(",", " ") for tag in tags if tag]


def _notes(job: TrackedJob) -> list[str]:
    lines = [f"input: {uri}" for uri in job.inputs]
    lines += [f"output: {job.output}"] if job.output else []
    return lines + ([f"job: {job.page}"] if job.page else [])


def _slug(name: str, room: int) -> str:
    """A name in the letters of ids; what does not fit ends in a digest, so that two stay two."""
    slug = re.sub(r"[^a-z0-9-]+", "-", name.lower())
    if slug == name and len(slug) <= room:
        return slug
    digest = blake2b(name.encode(), digest_size=4).hexdigest()
    return f"{slug[: max(room - len(digest) - 1, 0)]}-{digest}"
