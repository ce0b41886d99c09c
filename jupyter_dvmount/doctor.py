"""What works here and, in one line each, how to mend what does not: for ``dvmount doctor`` and the panel."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from .config import Config
from .mounting.model import Check, CheckStatus
from .mounting.support import check as check_mounting
from .pipelines.sandbox.tiers import Tiers
from .store import NoStore, StoreError, VersionStore, open_store

log = logging.getLogger("jupyter_dvmount")

EXTENSION = "jupyter-dvmount"
SERVER_EXTENSION = "jupyter_dvmount"
LOW_SPACE = 1 << 30
"""Bytes free below which a disk is reported as nearly full."""
NO_SPACE = 64 << 20
"""Bytes free below which nothing more should be put or copied."""

_INSTALL = "pip install jupyter-dvmount in the environment that runs Jupyter, then restart Jupyter"
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "9p", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs"}
)
_DF_PATIENCE = 5.0  # seconds; a network file system whose server is gone answers never
_NO_PIPELINES = "there are no pipelines"
_PACKAGES = ("jupyter-dvmount", "jupyterlab", "jupyter-server")


class _Finding(NamedTuple):
    status: CheckStatus
    detail: str
    fix: str = ""


def diagnose(config: Config, store: VersionStore | None = None) -> list[Check]:
    """Find out what works here; never raises for what it diagnoses, and changes nothing.

    Parameters
    ----------
    config
        The settings.
    store
        The store if it is open already; else it is opened for the time of the check, and not made.

    Returns
    -------
    list of Check
        ``store``, ``mount``, ``sandbox``, ``controller``, ``executor``, ``disk``, ``server``,
        ``labextension``, ``versions``, so ordered.
    """
    checks: list[tuple[str, str, Callable[[], _Finding]]] = [
        ("store", "Store", lambda: _check_store(config, store)),
        ("mount", "Mounting", _check_mount),
        ("sandbox", "Sandbox", _check_sandbox),
        ("controller", "Pipelines", lambda: _check_controller(config, store)),
        ("executor", "Executor", lambda: _check_executor(config)),
        ("disk", "Disk", lambda: _check_disk(config)),
        ("server", "Jupyter server", _check_server),
        ("labextension", "JupyterLab panel", _check_labextension),
        ("versions", "Versions", _check_versions),
    ]
    return [_made(id, label, check) for id, label, check in checks]


def without_secrets(url: str) -> str:
    """A store's URL without user, password, query and fragment, fit to be shown and logged."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(not a URL)"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _made(id: str, label: str, check: Callable[[], _Finding]) -> Check:
    try:
        status, detail, fix = check()
    except Exception as error:  # a check that cannot be made is a finding, too
        log.warning("the check %r failed", id, exc_info=True)
        status, detail = "missing", f"cannot be checked: {type(error).__name__}"
        fix = "run dvmount --debug doctor, and report what it says"
    return Check(id=id, label=label, status=status, detail=detail, fix=fix)


# the store


def _check_store(config: Config, store: VersionStore | None) -> _Finding:
    try:
        if store is not None:
            return _describe(store)
        with open_store(config.store, create=False) as opened:
            return _describe(opened)
    except NoStore:
        return _check_absent(config)
    except StoreError as error:
        public = without_secrets(config.store)
        return _Finding("missing", error.message.replace(config.store, public), error.fix)


def _describe(store: VersionStore) -> _Finding:
    store.changes(None)  # whether it can be read
    directory = _directory(store.url)
    kind = _file_system(directory) if directory else ""
    detail = f"{store.engine}, {store.url}" + (f" on {kind}" if kind else "")
    if directory is None:
        detail += f", {store.cached() / (1 << 20):.0f} MiB of it in the local cache"
    if kind in _NETWORK and "?catalog=postgresql" not in store.url:
        return _Finding(
            "limited",
            f"{detail}: it works, but every commit waits for the network",
            "set DVMOUNT_STORE to a directory on a local disk, or have the catalog in PostgreSQL",
        )
    return _Finding("ok", detail)


def _check_absent(config: Config) -> _Finding:
    """A store that is not there is made when it is first used, if that is possible."""
    url = without_secrets(config.store)
    directory = _directory(config.store)
    if directory is not None and not _is_writable(directory):
        return _Finding(
            "missing",
            f"there is no store at {url}, and {_existing(directory)} is no directory that can be written to",
            "mend its permissions, or set DVMOUNT_STORE to file:///another/directory",
        )
    return _Finding("ok", f"{url} is made when it is first used")


# what runs datums


def _check_executor(config: Config) -> _Finding:
    from .pipelines.executors import names
    from .pipelines.executors.dask import examine_dask

    if config.executor not in names():
        fix = f"set DVMOUNT_EXECUTOR to one of: {', '.join(names())}"
        return _Finding("missing", f"no executor {config.executor!r}", fix)
    if config.executor != "dask":
        return _Finding("ok", config.executor)
    try:
        return _Finding("ok", examine_dask(config))
    except StoreError as error:
        return _Finding("missing", error.message, error.fix)


# the disk


def _check_disk(config: Config) -> _Finding:
    places = {"state": config.state, "mounts": config.root}
    for place in places.values():
        if not _is_writable(place):
            return _Finding(
                "missing",
                f"{_existing(place)} is not a directory that can be written to",
                "mend its permissions, or set DVMOUNT_STATE and DVMOUNT_ROOT to directories of yours",
            )
    directory = _directory(config.store)
    if directory is not None:
        places = {"store": directory, **places}
    free = {name: shutil.disk_usage(_existing(place)).free for name, place in places.items()}
    detail = ", ".join(f"{name}: {size / (1 << 30):.1f} GiB free" for name, size in free.items())
    least = min(free.values())
    if least >= LOW_SPACE:
        return _Finding("ok", detail)
    return _Finding("limited" if least >= NO_SPACE else "missing", detail, "make room, or use another disk")


def _directory(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" and parts.path.startswith("/") else None


def _existing(path: Path) -> Path:
    """The path itself or its nearest parent that exists."""
    return next(place for place in (path, *path.parents) if os.path.lexists(place))


def _is_writable(path: Path) -> bool:
    """Whether a directory can be written to, or be made."""
    place = _existing(path)
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)


def _file_system(path: Path) -> str:
    """Type of the file system that a path is on, such as ``ext4``; empty where it cannot be told."""
    try:
        done = subprocess.run(
            ["df", "--output=fstype", "--", os.fspath(path)],
            capture_output=True,
            text=True,
            timeout=_DF_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.split()[-1]


# the halves of the extension


def _check_mount() -> _Finding:
    found = check_mounting()
    return _Finding(found.status, found.detail, found.fix)


@cache
def _tiers() -> Tiers:
    """Trying a container takes a second, and what comes of it does not change while a process lives."""
    return Tiers()


def _check_sandbox() -> _Finding:
    found = {each.tier: each for each in _tiers().look()}
    reasons = [f"{each.tier}: {each.why}" for each in found.values() if each.why]
    works = ", ".join(tier for tier, each in found.items() if each.usable)
    bounded = " and ".join(sorted(_tiers().cgroups.bounded)) or "nothing"
    detail = "; ".join([f"pipelines can run in: {works} (limits are enforced on {bounded})", *reasons])
    if found["bubblewrap"].usable or found["image"].usable:
        return _Finding("ok", detail)
    return _Finding("limited", detail, found["bubblewrap"].fix)


def _check_controller(config: Config, store: VersionStore | None) -> _Finding:
    try:
        with nullcontext(store) if store is not None else open_store(config.store, create=False) as opened:
            return _look_for_controller(config, opened)
    except NoStore:
        return _Finding("ok", _NO_PIPELINES)
    except StoreError as error:
        public = without_secrets(config.store)
        return _Finding("missing", error.message.replace(config.store, public), error.fix)


def _look_for_controller(config: Config, store: VersionStore) -> _Finding:
    """Whether somebody runs the pipelines, if there are any."""
    from .pipelines.controller.lease import holder, is_held
    from .pipelines.controller.process import LOG
    from .pipelines.jobs import database as jobs
    from .pipelines.service import Pipelines

    if not jobs.has_database(config, store):
        return _Finding("ok", _NO_PIPELINES)
    log_file = config.state / LOG
    with jobs.open_database(config, store) as database:
        number = sum(1 for _ in Pipelines(config, store, database).all())
        if not number:
            return _Finding("ok", _NO_PIPELINES)
        if is_held(database):
            pid = holder(database, patience=0.0)
            who = f"process {pid}" if pid is not None else "a controller"
            return _Finding("ok", f"{who} runs {number} of them ({config.executor}); log: {log_file}")
        return _Finding(
            "limited",
            f"no controller runs: the jobs of {number} pipelines wait",
            f"dvmount start pipeline NAME, or restart Jupyter; if it ends again, {log_file} says why",
        )


def _check_server() -> _Finding:
    from jupyter_core.paths import jupyter_config_path
    from jupyter_server.extension.config import ExtensionConfigManager

    manager = ExtensionConfigManager(read_config_path=jupyter_config_path())
    settings = manager.get("jupyter_server_config")  # type: ignore[no-untyped-call]
    enabled = settings.get("ServerApp", {}).get("jpserver_extensions", {}).get(SERVER_EXTENSION)
    if enabled is None:
        return _Finding("missing", "the server extension is not installed", _INSTALL)
    if not enabled:
        fix = f"jupyter server extension enable {SERVER_EXTENSION}, then restart Jupyter"
        return _Finding("missing", "the server extension is switched off", fix)
    return _Finding("ok", "the server extension is enabled")


def _check_labextension() -> _Finding:
    from jupyter_core.paths import jupyter_path
    from jupyterlab_server.config import get_federated_extensions, get_page_config

    places = jupyter_path("labextensions")
    found = get_federated_extensions(places).get(EXTENSION)
    if found is None:
        return _Finding("missing", "the panel is not installed", _INSTALL)
    if EXTENSION in get_page_config(places).get("disabledExtensions", []):
        fix = f"jupyter labextension enable {EXTENSION}, then reload the page"
        return _Finding("missing", "the panel is switched off", fix)
    return _Finding("ok", f"version {found['version']}")


def _check_versions() -> _Finding:
    packages = [f"{name} {_installed(name)}" for name in _PACKAGES]
    system = [f"Python {platform.python_version()}", f"{platform.system()} {platform.release()}"]
    return _Finding("ok", ", ".join(packages + system))


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
