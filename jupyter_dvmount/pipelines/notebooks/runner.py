"""Runs a notebook with papermill; sent to the job's Python as text, so it needs nothing of this package.

Reads an object from standard input: ``notebook``; ``kernel``, empty for the notebook's own; ``parameters``.
The executed notebook is in ``$PFS_OUT/notebooks`` from its first cell on, however it ends.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

NO_PAPERMILL, NO_KERNEL, CELL_FAILED, KERNEL_DIED = 101, 102, 103, 104
"""Exit codes."""
DIRECTORY = "notebooks"
DATUM_DIGITS = 16
"""Digits of a datum's id that name its notebook: enough that no two of a million are equal."""
_PFS = os.sep + "pfs"  # as one text it would be rewritten, like everything that a command says of it
_LONGEST_SOCKET, _SOCKET_NAME = 107, len("/kernel--ipc-1") + 36  # unix(7); with a UUID
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def main() -> int:
    """Run what standard input says; an exit code."""
    task = json.load(sys.stdin)
    try:
        import papermill
        from jupyter_client.kernelspec import NoSuchKernel
        from nbclient.exceptions import DeadKernelError
        from papermill.exceptions import PapermillExecutionError
    except ImportError as error:
        return _say(NO_PAPERMILL, str(error))
    _see_kernels_of_the_user()
    source = Path(tempfile.mkdtemp(), "notebook.ipynb")
    source.write_text(json.dumps(task["notebook"]), encoding="utf-8")
    name = os.environ["PACH_DATUM_ID"][:DATUM_DIGITS]
    target = Path(os.environ["PFS_OUT"], DIRECTORY, f"{name}.ipynb")
    target.parent.mkdir(exist_ok=True)
    try:
        papermill.execute_notebook(
            str(source),
            str(target),
            parameters=task["parameters"],
            kernel_name=task["kernel"] or None,
            progress_bar=False,
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
            **_transport(),
        )
    except NoSuchKernel as error:
        return _say(NO_KERNEL, str(error))
    except PapermillExecutionError as error:
        trace = _COLOURS.sub("", "\n".join(error.traceback))
        return _say(CELL_FAILED, f"{trace}\nIn [{error.exec_count}]: {error.ename}: {error.evalue}")
    except (DeadKernelError, RuntimeError) as error:  # the latter if it dies before it has begun
        return _say(KERNEL_DIED, str(error))
    finally:
        if target.exists():
            _tidy(target)
    return 0


def _say(code: int, text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return code


def _see_kernels_of_the_user() -> None:
    """Have kernels found that the user has installed: HOME is another directory here."""
    try:
        home = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # a number without a name, as in an image
        return
    paths = [os.environ.get("JUPYTER_PATH", ""), str(Path(home, ".local", "share", "jupyter"))]
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, paths))


def _transport() -> dict[str, Any]:
    """Have the kernel listen on sockets in a private directory; on ports if their paths are too long."""
    from traitlets.config import Config

    directory = tempfile.mkdtemp()
    if len(directory) + _SOCKET_NAME > _LONGEST_SOCKET:
        return {}
    os.environ["JUPYTER_RUNTIME_DIR"] = directory
    return {"config": Config({"KernelManager": {"transport": "ipc"}})}


def _tidy(path: Path) -> None:
    """Take out where it happened to run: that is another directory every time."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for name in ("input_path", "output_path"):
        notebook["metadata"].get("papermill", {}).pop(name, None)
    moved = os.environ["PFS"]
    for cell in notebook["cells"]:
        cell["source"] = [line.replace(moved, _PFS) for line in cell["source"]]
    path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
