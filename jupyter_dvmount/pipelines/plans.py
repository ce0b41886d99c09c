"""What of a spec decides how its code is run, as the sandbox wants it."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from jupyter_dvmount.store import parse

from .datums import Code, code_of
from .sandbox.plan import NotebookUse, Plan, SecretUse
from .secrets import SecretStore
from .spec import Notebook, PipelineSpec


def plan_of(spec: PipelineSpec) -> Plan:
    """The plan of a spec's datums."""
    transform = spec.transform
    return Plan(
        cmd=transform.cmd,
        notebook=_notebook_use(spec.notebook) if spec.notebook is not None else None,
        stdin=transform.stdin,
        env=transform.env,
        secrets=tuple(
            SecretUse(name=each.name, key=each.key, env_var=each.env_var, mount_path=each.mount_path)
            for each in transform.secrets
        ),
        working_dir=transform.working_dir,
        user=transform.user,
        image=transform.image,
        err_cmd=transform.err_cmd,
        err_stdin=transform.err_stdin,
        accept_return_code=transform.accept_return_code,
        timeout=spec.datum_timeout_seconds or None,
        cpu=spec.resource_limits.cpu_cores or None,
        memory=spec.resource_limits.memory_bytes or None,
        disk=spec.resource_limits.disk_bytes or None,
    )


def _notebook_use(notebook: Notebook) -> NotebookUse:
    place = parse(notebook.path)
    return NotebookUse(
        repo=place.repo, path=place.path, kernel=notebook.kernel, parameters=notebook.parameters
    )


def salted_code(spec: PipelineSpec, salt: str, secrets: SecretStore) -> Code:
    """The code of a spec, with the versions of its secrets as they are now.

    Parameters
    ----------
    salt
        Of the pipeline's version: a reprocessing gives it another one.

    Raises
    ------
    NotFound
        If one of its secrets does not exist.
    """
    names = sorted({each.name for each in spec.transform.secrets})
    code = code_of(spec, secret_versions=secret_versions(names, secrets))
    return replace(code, salt=f"{code.salt}{salt}")


def secret_versions(names: Iterable[str], secrets: SecretStore) -> dict[str, str]:
    """Versions of secrets by name, or `NotFound` for the first that does not exist."""
    return {name: secrets.inspect(name).version for name in names}
