"""What is run for a notebook, where it is run."""

from __future__ import annotations

import json
import sys
from pathlib import Path, PurePosixPath

from blake3 import blake3
from msgspec.structs import replace

from jupyter_dvmount.pipelines.sandbox.plan import NotebookUse, Plan, Tier
from jupyter_dvmount.store import DEFAULT_BRANCH, Corrupt, VersionStore

from . import runner

_PROGRAM = Path(runner.__file__)


def with_command(plan: Plan, tier: Tier, store: VersionStore) -> Plan:
    """A plan whose command runs its notebook; one without a notebook stays as it is.

    Parameters
    ----------
    tier
        Where it runs: in an image it is the image's ``python3``, else the Python that calls this.
    store
        Where the frozen copy is.

    Raises
    ------
    Corrupt
        If what is there is not what was frozen.
    StoreError
        If it cannot be read.
    """
    if plan.notebook is None:
        return plan
    use = plan.notebook
    task = {
        "notebook": json.loads(use.content or _read(store, use)),
        "kernel": use.kernel,
        "parameters": use.parameters,
    }
    kernel = f"the kernel {use.kernel!r}" if use.kernel else "the notebook's kernel"
    return replace(
        plan,
        cmd=("python3" if tier == "image" else sys.executable, "-c", _PROGRAM.read_text()),
        stdin=(json.dumps(task, ensure_ascii=False),),
        keep=runner.DIRECTORY,
        exit_reasons={
            runner.NO_PAPERMILL: "papermill is not there where the job runs; pip install papermill ipykernel",
            runner.NO_KERNEL: f"{kernel} is not there where the job runs; install it, or set notebook.kernel",
            runner.CELL_FAILED: "a cell failed; the log and the executed notebook show which and why",
            runner.KERNEL_DIED: "the kernel died; the log and the executed notebook show where",
        },
    )


def _read(store: VersionStore, use: NotebookUse) -> bytes:
    with store.read(use.repo, DEFAULT_BRANCH).open(use.path) as file:
        content = file.read()
    if blake3(content).hexdigest() != PurePosixPath(use.path).stem:
        fix = f"publish the notebook again: somebody has changed {use.repo}"
        raise Corrupt(f"{use.repo}:{use.path} is not the notebook that was published", fix=fix)
    return content
