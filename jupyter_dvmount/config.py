"""Where things are: one place that reads the environment and the configuration file."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

import msgspec
from platformdirs import user_config_path, user_data_path, user_state_path

from .store import Invalid

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

APP = "dvmount"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Resolved settings.

    Parameters
    ----------
    store
        URL of the version store.
    state
        Directory of sockets, the hidden FUSE directory, checkouts and records of mounts (mode 0700).
    root
        Directory in which mounts appear under their names.
    stores
        Named stores of the configuration file, name → URL.
    jobs
        URL of the database of pipelines and jobs; empty for a file of SQLite below ``state``.
    executor
        Name of what runs the datums of pipelines.
    dask
        Address of a Dask scheduler for the executor ``dask``; empty for a cluster on this machine.
    """

    store: str
    state: Path
    root: Path
    stores: dict[str, str] = {}
    jobs: str = ""
    executor: str = "local"
    dask: str = ""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration file; ``store`` is a URL or the name of one in ``[stores]``."""

    store: str = ""
    root: str = ""
    jobs: str = ""
    executor: str = ""
    dask: str = ""
    stores: dict[str, str] = {}


def config_file() -> Path:
    """Path of the configuration file, which need not exist."""
    return user_config_path(APP) / "config.toml"


def load_config(*, store: str | None = None, root: str | os.PathLike[str] | None = None) -> Config:
    """Resolve the settings: arguments, then environment, then configuration file, then defaults.

    Parameters
    ----------
    store
        URL of a store, or the name of one in the configuration file.
    root
        Mount root.

    Raises
    ------
    Invalid
        If the configuration file cannot be read.
    """
    file = _read(config_file())
    named = store or os.environ.get("DVMOUNT_STORE") or file.store or _default_store()
    return Config(
        store=file.stores.get(named, named),
        state=_path(os.environ.get("DVMOUNT_STATE")) or user_state_path(APP),
        root=_path(root) or _path(os.environ.get("DVMOUNT_ROOT")) or _path(file.root) or Path.home() / APP,
        stores=file.stores,
        jobs=os.environ.get("DVMOUNT_JOBS") or file.jobs,
        executor=os.environ.get("DVMOUNT_EXECUTOR") or file.executor or "local",
        dask=os.environ.get("DVMOUNT_DASK") or file.dask,
    )


def author() -> str:
    """Who makes commits: the login name, or nothing where there is none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _default_store() -> str:
    return (user_data_path(APP) / "store").absolute().as_uri()


def _path(value: str | os.PathLike[str] | None) -> Path | None:
    return Path(value).expanduser().absolute() if value else None


def _read(path: Path) -> _File:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return _File()
    except UnicodeDecodeError as error:
        raise Invalid(f"{path} is not UTF-8", fix="save it in that encoding") from error
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}", fix="mend its permissions") from error
    try:
        return msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Invalid(
            f"{path}: {error}", fix="it may have store, root, jobs, executor, dask and a table [stores]"
        ) from error
