"""Runs ``wandb`` as a process of its own, with no more of this process's environment than it needs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from jupyter_dvmount.store import Unavailable

_SECONDS = 60.0
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_INSPECT = ("leet", "inspect", "-no-observability", "-json")
_NEWER = "pip install --upgrade 'wandb>=0.31'"


def inspect(log: Path, *options: str) -> Iterator[bytes]:
    """The lines that wandb's inspector prints about a run's log, as they come.

    Raises
    ------
    Unavailable
        If there is no wandb that has it.

    Notes
    -----
    This is ``wandb leet inspect``, without the command in front of it: that only finds the program and adds
    the same options, and takes half a second to do so, many times what the inspector takes.
    """
    with (
        TemporaryDirectory(prefix="dvmount-wandb-") as home,
        _started(
            [_core(), *_INSPECT, *options, "-run-file", str(log), str(log.parent.parent)], home
        ) as process,
    ):
        try:
            if process.stdout is not None:
                yield from process.stdout
        finally:
            with suppress(ProcessLookupError):
                process.kill()


def _started(command: list[str], home: str) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(home, {}),
        )
    except OSError as error:
        raise Unavailable(f"cannot run wandb: {error.strerror}", fix=_NEWER) from error


@cache
def _core() -> str:
    found = find_spec("wandb")
    if found is None or found.origin is None:
        raise Unavailable("wandb is not installed", fix=_NEWER)
    return str(Path(found.origin).parent / "bin" / "wandb-core")


def run(
    command: list[str],
    *,
    home: str,
    variables: Mapping[str, str] | None = None,
    seconds: float = _SECONDS,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, keys in its environment and nowhere else."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=_environment(home, variables or {}),
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"wandb has not answered within {seconds:g} s", fix="try again") from error
    except OSError as error:
        raise Unavailable(f"cannot run wandb: {error.strerror}", fix=_NEWER) from error
    if done.returncode:
        raise Unavailable(f"wandb failed: {_last_line(done.stderr)}", fix=_NEWER)
    return done


def _environment(home: str, variables: Mapping[str, str]) -> dict[str, str]:
    passed = {name: os.environ[name] for name in (*_PASSED, *_PROXIES) if name in os.environ}
    own = {"WANDB_CONFIG_DIR": home, "WANDB_CACHE_DIR": home, "WANDB_DIR": home, "WANDB_SILENT": "true"}
    return passed | own | {"WANDB_ERROR_REPORTING": "false", "NETRC": os.devnull} | dict(variables)


def _last_line(text: bytes) -> str:
    found = text.decode(errors="replace").strip().splitlines()
    return found[-1] if found else "it says nothing"
