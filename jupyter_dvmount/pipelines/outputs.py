"""What an attempt has written, into the store: several attempts in one commit, each below its own id."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from jupyter_dvmount.store import CommitWriter, FileInfo, Invalid, StoreError, VersionStore, check_path

from .messages import Output
from .model import Datum
from .sandbox.plan import PFS

_MOST_LINKS = 40  # as the kernel follows, path_resolution(7)


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one attempt, and how links in them are to be read.

    Parameters
    ----------
    attempt, datum
        Whose they are.
    out
        The directory that was ``/pfs/out``.
    moved
        What stood for ``/pfs`` while the code ran: ``/pfs`` itself, or the directory of tier ``plain``.
    """

    attempt: str
    datum: Datum
    out: Path
    moved: str = PFS


def is_empty(out: Path) -> bool:
    """Whether nothing has been written."""
    with os.scandir(out) as entries:
        return next(entries, None) is None


def store_outputs(
    store: VersionStore, repo: str, written: Sequence[Written]
) -> dict[str, Output | StoreError]:
    """Commit the files of attempts, or say of each why not.

    Returns
    -------
    dict
        By attempt: where its output is, or what is wrong with it (`Invalid`: the code has written
        something that cannot be stored).

    Raises
    ------
    StoreError
        If the store takes nothing now.
    """
    found = {each.attempt: _collect(each) for each in written}
    results: dict[str, Output | StoreError] = {
        attempt: entries for attempt, entries in found.items() if isinstance(entries, StoreError)
    }
    fit = {attempt: entries for attempt, entries in found.items() if not isinstance(entries, StoreError)}
    if fit:
        branch = f"batch-{next(iter(fit))}"
        with store.modify(repo, branch, message="outputs of attempts") as writer:
            for attempt, entries in fit.items():
                _put(writer, f"/{attempt}", entries)
        store.delete_branch(repo, branch)
        reader = store.read(repo, writer.commit.id)
        for attempt, entries in fit.items():
            files, size = reader.usage(f"/{attempt}") if entries else (0, 0)
            results[attempt] = Output(
                repo=repo, commit=writer.commit.id, path=f"/{attempt}", files=files, size=size
            )
    return results


def copy_output(store: VersionStore, written: Written, target: Path) -> int:
    """Copy the files of an attempt to a local directory; how many there were.

    Raises
    ------
    Invalid
        If the code has written something that could not be stored either.
    """
    entries = _collect(written)
    if isinstance(entries, StoreError):
        raise entries
    number = 0
    for each in entries:
        place = target / each.path
        if isinstance(each, _Local):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(each.source, place)
            number += 1
        else:
            number += _copy_input(store, each, place)
    return number


def _copy_input(store: VersionStore, copied: _Copied, place: Path) -> int:
    reader = store.read(copied.repo, copied.commit)
    found = reader.lookup(copied.source)
    whole = found is not None and found.type == "dir"
    paths = [f.path for f in reader.walk(copied.source) if f.type == "file"] if whole else [copied.source]
    for path in paths:
        target = place / os.path.relpath(path, copied.source) if whole else place
        target.parent.mkdir(parents=True, exist_ok=True)
        with reader.open(path) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
    return len(paths)


def manifest(store: VersionStore, output: Output) -> Iterator[FileInfo]:
    """Files of an output with sizes and hashes, with the paths that they have below ``/pfs/out``."""
    for info in store.read(output.repo, output.commit).walk(output.path):
        if info.type == "file":
            yield msgspec.structs.replace(info, path=info.path[len(output.path) :])


class _Local(msgspec.Struct, frozen=True):
    """A local file to be put at ``path``."""

    path: str
    source: Path


class _Copied(msgspec.Struct, frozen=True):
    """Something of an input to be copied to ``path`` within the store."""

    path: str
    repo: str
    commit: str
    source: str


def _put(writer: CommitWriter, base: str, entries: Sequence[_Local | _Copied]) -> None:
    writer.put_tree(base, ((each.path, each.source) for each in entries if isinstance(each, _Local)))
    for each in entries:
        if isinstance(each, _Copied):
            writer.copy(each.repo, each.commit, each.source, f"{base}/{each.path}")


def _collect(written: Written) -> list[_Local | _Copied] | StoreError:
    try:
        return list(_Collector(written).entries())
    except StoreError as error:
        return error
    except OSError as error:
        fix = "leave /pfs/out readable for the agent's user"
        return Invalid(f"{error.filename}: {error.strerror}", fix=fix)


class _Collector:
    """Finds what is below ``/pfs/out``; links are replaced by what they lead to."""

    def __init__(self, written: Written) -> None:
        self._written = written
        self._out = written.out

    def entries(self) -> Iterator[_Local | _Copied]:
        yield from self._directory(self._out, "", frozenset())

    def _directory(
        self, directory: Path, base: str, above: frozenset[tuple[int, int]]
    ) -> Iterator[_Local | _Copied]:
        status = directory.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            raise Invalid(f"{PFS}/out/{base} is a link to a directory that it is in", fix="remove the link")
        with os.scandir(directory) as found:
            names = sorted(entry.name for entry in found)
        for name in names:
            yield from self._entry(directory / name, f"{base}/{name}".lstrip("/"), above | {identity})

    def _entry(
        self, source: Path, path: str, above: frozenset[tuple[int, int]]
    ) -> Iterator[_Local | _Copied]:
        check_path(f"/{path}")
        target = self._resolve(source, path)
        if isinstance(target, _Copied):
            yield target
            return
        mode = target.lstat().st_mode
        if stat.S_ISDIR(mode):
            yield from self._directory(target, path, above)
        elif stat.S_ISREG(mode):
            yield _Local(path, target)
        else:
            raise Invalid(
                f"{PFS}/out/{path} is {_kind(mode)}", fix="write regular files and directories only"
            )

    def _resolve(self, source: Path, path: str) -> Path | _Copied:
        """Follow links within ``/pfs/out`` and into inputs, by their text: other roots are gone by now."""
        inside = f"{PFS}/out/{source.relative_to(self._out)}"
        for _ in range(_MOST_LINKS):
            local = self._out / os.path.relpath(inside, f"{PFS}/out")
            link = _first_link(self._out, local)
            if link is None:
                if not local.exists():
                    raise self._astray(path, inside)
                return local
            text = self._seen(os.readlink(link))  # noqa: PTH115 - its text is needed, not where it leads here
            parent = f"{PFS}/out/{link.parent.relative_to(self._out)}"
            rest = os.path.relpath(local, link)
            inside = os.path.normpath(f"{parent}/{text}" if not text.startswith("/") else text)
            inside = os.path.normpath(f"{inside}/{rest}")
            if not f"{inside}/".startswith(f"{PFS}/out/"):
                return self._input(path, inside)
        raise Invalid(f"{PFS}/out/{path} is a link that leads to itself", fix="remove it")

    def _seen(self, text: str) -> str:
        """A link's text as it would be in a tier with a /pfs."""
        moved = self._written.moved
        return PFS + text[len(moved) :] if f"{text}/".startswith(f"{moved}/") else text

    def _input(self, path: str, inside: str) -> _Copied:
        for each in self._written.datum.inputs:
            base = f"{PFS}/{each.name}"
            inner = inside[len(base) :] or "/"
            if f"{inside}/".startswith(f"{base}/") and f"{inner}/".startswith(f"{each.path.rstrip('/')}/"):
                return _Copied(path, each.repo, each.commit, inner)
        raise self._astray(path, inside)

    def _astray(self, path: str, inside: str) -> Invalid:
        return Invalid(
            f"{PFS}/out/{path} is a link to {inside}, which is in no input and not in {PFS}/out",
            fix="copy the file instead of linking to it",
        )


def _first_link(root: Path, path: Path) -> Path | None:
    """The first part of ``path`` below ``root`` that is a link."""
    place = root
    for part in path.relative_to(root).parts:
        place = place / part
        if place.is_symlink():
            return place
    return None


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a named pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"
