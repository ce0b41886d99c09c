"""Asks a W&B server about a key, and uploads runs."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote, urlsplit

import msgspec
import requests

from jupyter_dvmount.store import Denied, Invalid, Unavailable
from jupyter_dvmount.tracking.model import Account, Run, Settings

from .program import run as run_program

PUBLIC = "https://api.wandb.ai"
"""The server meant where none is named."""
_SYNC_SECONDS = 600.0
_ANSWER_SECONDS = 20.0
# wandb's own settings know where people look at runs: the rule has changed before.
_APP_URL = "import sys, wandb; print(wandb.Settings(base_url=sys.argv[1]).app_url)"
_VIEWER = "query Viewer { viewer { id entity } }"
_REFUSED = {401, 403}


class _Viewer(msgspec.Struct):
    entity: str | None = None


class _Data(msgspec.Struct):
    viewer: _Viewer | None = None


class _Answer(msgspec.Struct):
    data: _Data | None = None


def account(settings: Settings, key: str) -> Account:
    """Whom a key belongs to, and where people look at runs."""
    server = _server(settings)
    return Account(entity=_entity(server, key) if key else "", app_url=_app_url(server))


@cache
def _app_url(server: str) -> str:
    with TemporaryDirectory(prefix="dvmount-wandb-") as home:
        done = run_program([sys.executable, "-c", _APP_URL, server], home=home)
    return done.stdout.decode().strip().rstrip("/")


def _entity(server: str, key: str) -> str:
    try:
        answer = requests.post(
            f"{server}/graphql",
            json={"operationName": "Viewer", "query": _VIEWER, "variables": {}},
            auth=("api", key),
            timeout=_ANSWER_SECONDS,
        )
    except requests.RequestException as error:
        reason = type(error).__name__
        raise Unavailable(
            f"cannot reach {server}: {reason}", fix="see that the server is up, and try again"
        ) from None
    viewer = _viewer(answer)
    if answer.status_code in _REFUSED or (answer.ok and viewer is None):
        raise Denied(f"{server} does not accept the key", fix="make a new key and store it again")
    if viewer is None:
        raise Unavailable(f"{server} answers with status {answer.status_code}", fix="try again later")
    return viewer.entity or ""


def _viewer(answer: requests.Response) -> _Viewer | None:
    try:
        found = msgspec.json.decode(answer.content, type=_Answer)
    except msgspec.DecodeError:
        return None
    return found.data.viewer if found.data is not None else None


def url(account: Account, run: Run | str, settings: Settings) -> str | None:
    """The page of a run; None where its entity is not known."""
    found = Run(run_id=run) if isinstance(run, str) else run
    entity = found.entity or settings.entity or account.entity
    project = found.project or settings.project
    if not (entity and project and account.app_url):
        return None
    parts = [quote(part, safe="") for part in (entity, project, "runs", found.run_id)]
    return "/".join([account.app_url, *parts])


def sync(directory: Path, settings: Settings, key: str) -> None:
    """Upload an offline run."""
    server = _server(settings)
    variables = {"WANDB_API_KEY": key, "WANDB_BASE_URL": server, "WANDB_SILENT": "false"}
    command = [sys.executable, "-m", "wandb", "sync", "--yes", str(directory)]
    command += ["--entity", settings.entity] if settings.entity else []
    with TemporaryDirectory(prefix="dvmount-wandb-") as home:
        run_program(command, home=home, variables=variables, seconds=_SYNC_SECONDS)
    if not any(directory.glob("run-*.wandb.synced")):  # it ends with 0 whatever happens
        raise Unavailable(
            f"the run was not uploaded to {server}", fix="check the key and the server, and try again"
        )


def _server(settings: Settings) -> str:
    server = (settings.base_url or PUBLIC).rstrip("/")
    parts = urlsplit(server)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise Invalid(f"illegal W&B server {server!r}", fix="write it like https://wandb.example.org")
    return server
