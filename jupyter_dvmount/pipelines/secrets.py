"""Secrets: stored once, private to the user, shown by the names of their keys and never by their values."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec

from jupyter_dvmount.store import AlreadyExists, Corrupt, Denied, Invalid, NotFound, Unavailable

MAX_SIZE = 1 << 20
"""Bytes of all values of a secret together; Kubernetes has the same limit."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")  # RFC 1123 subdomain, as in Kubernetes
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_SALT = ".salt"


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret without its values.

    Parameters
    ----------
    name
        What pipelines call it.
    keys
        Names of its values, sorted.
    created
        When it was made.
    version
        16 hex digits that change with the values; salted, so that they give nothing away.
    """

    name: str
    keys: tuple[str, ...]
    created: datetime
    version: str


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    created: datetime
    values: dict[str, bytes]  # base64 in JSON


class SecretStore:
    """The secrets of one user, a file each.

    Parameters
    ----------
    directory
        Where they are; made when the first one is stored, open to nobody else (mode 0700).
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def create(self, name: str, values: Mapping[str, bytes]) -> Secret:
        """Store a new secret, durably and whole.

        Raises
        ------
        Invalid
            If the name, a key or the size is not legal.
        AlreadyExists
            If there is one with this name.
        Denied, Unavailable
            If it cannot be stored privately.
        """
        _check(name, values)
        stored = _Stored(created=datetime.now(timezone.utc), values=dict(values))
        self._prepare()
        temporary = self._directory / f".{os.urandom(8).hex()}"
        try:
            _write_private(temporary, msgspec.json.encode(stored))
            os.link(temporary, self._directory / name)  # unlike a rename it never replaces one
            _sync(self._directory)
        except FileExistsError:
            raise AlreadyExists(
                f"secret {name!r} exists already", fix=f"dvmount delete secret {name}, then make it anew"
            ) from None
        except OSError as error:
            raise _unusable(self._directory, error) from error
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
        return self._describe(name, stored)

    def list(self) -> Iterator[Secret]:
        """Every secret by name, without values."""
        try:
            names = sorted(path.name for path in self._directory.iterdir() if _NAME.fullmatch(path.name))
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unusable(self._directory, error) from error
        for name in names:
            with suppress(NotFound):  # deleted meanwhile
                yield self.inspect(name)

    def inspect(self, name: str) -> Secret:
        """One secret without its values, or `NotFound`."""
        return self._describe(name, self._read(name))

    def values(self, name: str) -> dict[str, bytes]:
        """The values by key: for the surroundings of a job and nothing else. `NotFound` if there is none."""
        return self._read(name).values

    def delete(self, name: str) -> None:
        """Remove one, or `NotFound`."""
        try:
            self._path(name).unlink()
            _sync(self._directory)
        except FileNotFoundError:
            raise _missing(name) from None
        except OSError as error:
            raise _unusable(self._directory, error) from error

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise _missing(name)  # nothing can be stored under such a name, nor outside the directory
        return self._directory / name

    def _read(self, name: str) -> _Stored:
        path = self._path(name)
        try:
            return msgspec.json.decode(path.read_bytes(), type=_Stored)
        except FileNotFoundError:
            raise _missing(name) from None
        except OSError as error:
            raise _unusable(path, error) from error
        except msgspec.DecodeError:
            fix = f"dvmount delete secret {name}, then make it anew"
            raise Corrupt(f"secret {name!r} is damaged", fix=fix) from None

    def _describe(self, name: str, stored: _Stored) -> Secret:
        digest = hashlib.blake2b(key=self._salt(), digest_size=8)
        for key, value in sorted(stored.values.items()):
            for part in (key.encode(), value):
                digest.update(len(part).to_bytes(8, "big") + part)
        return Secret(
            name=name,
            keys=tuple(sorted(stored.values)),
            created=stored.created,
            version=digest.hexdigest(),
        )

    def _prepare(self) -> None:
        """Have the directory, private, and the salt."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self._directory.stat()
            if status.st_uid != os.geteuid():
                raise Denied(
                    f"{self._directory} belongs to another user",
                    fix="set DVMOUNT_STATE to a directory of your own",
                )
            if status.st_mode & 0o777 != 0o700:
                self._directory.chmod(0o700)
            salt = self._directory / _SALT
            if not salt.exists():
                temporary = self._directory / f".{os.urandom(8).hex()}"
                _write_private(temporary, os.urandom(32))
                with suppress(FileExistsError):
                    os.link(temporary, salt)
                temporary.unlink()
        except OSError as error:
            raise _unusable(self._directory, error) from error

    def _salt(self) -> bytes:
        try:
            return (self._directory / _SALT).read_bytes()
        except OSError as error:
            raise _unusable(self._directory / _SALT, error) from error


def read_manifests(text: bytes) -> list[tuple[str, dict[str, bytes]]]:
    """Names and values of the Kubernetes secrets in a file.

    Parameters
    ----------
    text
        JSON or YAML, one or several documents, each of ``kind: Secret`` and of type ``Opaque``.

    Raises
    ------
    Invalid
        If it is something else. The message never contains a value.
    """
    import yaml  # rarely needed, and slow to import

    try:
        documents = [each for each in yaml.safe_load_all(text) if each is not None]
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = "" if line is None else f" (line {line + 1})"
        raise Invalid(f"the file is neither JSON nor YAML{where}", fix="mend it there") from None
    if not documents:
        raise Invalid("the file has no secret in it", fix="give one of kind: Secret")
    return [_from_manifest(each) for each in documents]


def _from_manifest(document: Any) -> tuple[str, dict[str, bytes]]:
    if not isinstance(document, dict) or document.get("kind") != "Secret":
        raise Invalid("the file is no Kubernetes secret", fix="it needs kind: Secret, metadata.name and data")
    if document.get("type", "Opaque") != "Opaque":
        raise Invalid("the secret's type is not Opaque", fix="only type: Opaque is supported")
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str):
        raise Invalid("the secret has no metadata.name", fix="give it one")
    values = {key: _decode(key, value) for key, value in _texts(document, "data")}
    values.update((key, value.encode()) for key, value in _texts(document, "stringData"))
    return name, values


def _texts(document: dict[Any, Any], field: str) -> list[tuple[str, str]]:
    texts = document.get(field) or {}
    if not isinstance(texts, dict):
        raise Invalid(f"the secret's {field} is not a mapping", fix="write it as key: value")
    for key, value in texts.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise Invalid(f"{field}.{key} is not a string", fix="put it in quotes")
    return list(texts.items())


def _decode(key: str, value: str) -> bytes:
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        fix = "encode it (printf %s VALUE | base64), or put it under stringData as it is"
        raise Invalid(f"data.{key} is not base64", fix=fix) from None


def _check(name: str, values: Mapping[str, bytes]) -> None:
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"{name!r} is no name for a secret", fix="use lower-case letters, digits, dashes and dots"
        )
    if not values:
        raise Invalid(f"secret {name!r} has no value", fix="give at least one key with its value")
    for key in values:
        if not _KEY.fullmatch(key):
            raise Invalid(
                f"{key!r} is no key of a secret", fix="use letters, digits, dashes, dots and underscores"
            )
    if sum(map(len, values.values())) > MAX_SIZE:
        raise Invalid(f"secret {name!r} is larger than {MAX_SIZE} bytes", fix="keep large files in a repo")


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _missing(name: str) -> NotFound:
    return NotFound(f"no secret {name!r}", fix=f"dvmount create secret {name} --from-env KEY=VARIABLE")


def _unusable(path: Path, error: OSError) -> Denied | Unavailable:
    kind = Denied if isinstance(error, PermissionError) else Unavailable
    return kind(f"cannot use {path}: {error.strerror or error}", fix="see to the disk and its permissions")
