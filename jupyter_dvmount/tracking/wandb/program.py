"""Runs ``wandb`` as a process of its own, with no more of this process's environment than it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from tempfile import TemporaryDirectory

from jupyter_dvmount.store import Unavailable

_SECONDS = 60.0
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_WANDB = (sys.executable, "-m", "wandb")


def output(arguments: list[str]) -> bytes:
    """What a call of ``wandb`` prints.

    Raises
    ------
    Unavailable
        If it fails or takes longer than a minute.
    """
    with TemporaryDirectory(prefix="dvmount-wandb-") as home:
        done = run([*_WANDB, *arguments], home=home)
    return done.stdout


def lines(arguments: list[str]) -> Iterator[bytes]:
    """The lines that a call of ``wandb`` prints, as they come."""
    with (
        TemporaryDirectory(prefix="dvmount-wandb-") as home,
        subprocess.Popen(
            [*_WANDB, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(home, {}),
        ) as process,
    ):
        try:
            if process.stdout is not None:
                yield from process.stdout
        finally:
            with suppress(ProcessLookupError):
                process.kill()


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
        raise Unavailable(f"cannot run wandb: {error.strerror}", fix="pip install wandb") from error
    if done.returncode:
        raise Unavailable(
            f"wandb failed: {_last_line(done.stderr)}", fix="pip install --upgrade 'wandb>=0.31'"
        )
    return done


def _environment(home: str, variables: Mapping[str, str]) -> dict[str, str]:
    passed = {name: os.environ[name] for name in (*_PASSED, *_PROXIES) if name in os.environ}
    own = {"WANDB_CONFIG_DIR": home, "WANDB_CACHE_DIR": home, "WANDB_DIR": home, "WANDB_SILENT": "true"}
    return passed | own | {"WANDB_ERROR_REPORTING": "false", "NETRC": os.devnull} | dict(variables)


def _last_line(text: bytes) -> str:
    found = text.decode(errors="replace").strip().splitlines()
    return found[-1] if found else "it says nothing"
