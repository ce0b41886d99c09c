"""The variables and the files of secrets that the code of an attempt finds, whatever the tier."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from jupyter_dvmount.store import NotFound

from .messages import Attempt, Batch
from .sandbox.plan import PFS, Bind, Plan, Tier
from .sandbox.processes import MARKER

_INHERITED = ("PATH", "LANG", "TZ")

SecretValues = Mapping[str, Mapping[str, bytes]]
"""Values of secrets by name and key."""


def variables(batch: Batch, attempt: Attempt, tier: Tier) -> dict[str, str]:
    """The environment without secrets; an image has a PATH of its own."""
    inherited = () if tier == "image" else _INHERITED
    found = {name: os.environ[name] for name in inherited if name in os.environ}
    for each in reversed(attempt.datum.inputs):  # of several of one name the first one counts
        found[each.name] = f"{PFS}/{each.name}{each.path.rstrip('/')}"
        found[f"{each.name}_COMMIT"] = each.commit
        if each.join_on:
            found[f"PACH_DATUM_{each.name}_JOIN_ON"] = each.join_on
        if each.group_by:
            found[f"PACH_DATUM_{each.name}_GROUP_BY"] = each.group_by
    return {
        **found,
        "PACH_JOB_ID": batch.job,
        "PACH_OUTPUT_COMMIT_ID": batch.output_commit,
        "PACH_DATUM_ID": attempt.datum.id,
        "PPS_PIPELINE_NAME": batch.pipeline,
        "PPS_PROJECT_NAME": batch.project,
        "PFS": PFS,
        "PFS_OUT": f"{PFS}/out",
        MARKER: attempt.id,
        **attempt.env,
    }


def secret_variables(plan: Plan, secrets: SecretValues) -> dict[str, str]:
    """Variables whose values are secrets.

    Raises
    ------
    NotFound
        If a secret or key is missing.
    """
    uses = [use for use in plan.secrets if use.env_var]
    return {use.env_var: os.fsdecode(_value(secrets, use.name, use.key)) for use in uses}


def secret_files(plan: Plan, secrets: SecretValues, root: Path) -> tuple[Bind, ...]:
    """Write the files of secrets below ``root``, which must not outlive the attempt.

    Raises
    ------
    NotFound
        If a secret or key is missing.
    """
    binds = []
    for number, use in enumerate(use for use in plan.secrets if use.mount_path):
        directory = root / str(number)
        directory.mkdir(mode=0o755, parents=True)
        keys = [use.key] if use.key else list(secrets.get(use.name, {}))
        for key in keys or [""]:
            path = directory / key
            path.write_bytes(_value(secrets, use.name, key))
            path.chmod(0o444)  # the code may run as another user; the directory above is private
        binds.append(Bind(directory, use.mount_path))
    return tuple(binds)


def _value(secrets: SecretValues, name: str, key: str) -> bytes:
    values = secrets.get(name)
    if values is None:
        raise NotFound(f"no secret {name!r}", fix=f"dvmount create secret {name} --from-env KEY=VARIABLE")
    if key not in values:
        have = ", ".join(values) or "none"
        raise NotFound(f"secret {name!r} has no key {key!r}", fix=f"it has {have}")
    return values[key]
