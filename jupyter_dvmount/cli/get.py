"""``dvmount get file``."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from jupyter_dvmount.store import (
    AlreadyExists,
    CommitReader,
    Corrupt,
    FileInfo,
    Invalid,
    Location,
    NotFound,
    Progress,
    Unavailable,
    check_path,
)

from .locations import FILE
from .progress import progress_bar
from .session import Session, pass_session

BLOCK = 1 << 20
BYTES = click.IntRange(min=0)


@click.command("file")
@click.argument("file", type=FILE)
@click.option(
    "-o", "--output", "destination", metavar="DEST", help="File or directory to write; - is standard output."
)
@click.option("-r", "--recursive", is_flag=True, help="Get a directory with everything in it.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@click.option("--offset", type=BYTES, metavar="BYTES", help="Begin there in the file.")
@click.option("--length", type=BYTES, metavar="BYTES", help="Get no more than that of the file.")
@pass_session
def get(
    session: Session,
    *,
    file: Location,
    destination: str | None,
    recursive: bool,
    overwrite: bool,
    offset: int | None,
    length: int | None,
) -> None:
    """Copy a file out of the store, to standard output or to DEST.

    DEST appears when it is complete. A directory that exists takes it under its own name; a file that
    exists is not replaced without --overwrite, and a directory never is.

    \b
    dvmount get file images@master:/pets/cat.png -o cat.png
    dvmount get file images@master:/pets -r -o .              → ./pets/…
    dvmount get file tables@master:/iris.csv | head
    dvmount get file logs@master:/big.log --offset 1000000 --length 4096
    """
    reader = session.store().read(file.repo, file.ref)
    info = reader.lookup(file.path)
    if info is None:
        raise NotFound(f"{file} does not exist", fix=f"see 'dvmount list file {file.repo}@{file.ref}'")
    if info.type == "dir" and not recursive:
        raise Invalid(f"{file} is a directory", fix="add -r and -o DEST to get everything in it")
    if info.type == "dir" and (offset, length) != (None, None):
        raise Invalid(f"{file} is a directory", fix="name a file to get a part of")
    part = range(info.size)[offset or 0 :][:length]
    if destination in (None, "-"):
        if info.type == "dir":
            raise Invalid("a directory cannot go to standard output", fix="say where with -o DEST")
        _Copier(reader, lambda files, size: None).file(info, part, sys.stdout.buffer)
        return
    place = _place(
        Path(str(destination)), str(destination).endswith("/"), info.name or file.repo.rpartition("/")[2]
    )
    if place.exists() and not (place.is_file() or place.is_dir()):
        raise Invalid(f"{place} is not a file", fix="leave -o away and redirect the output there")
    if os.path.lexists(place) and (info.type == "dir" or place.is_dir() or not overwrite):
        fix = "choose another DEST" if info.type == "dir" else "choose another DEST or add --overwrite"
        raise AlreadyExists(f"{place} is there already", fix=fix)
    files, size = reader.usage(info.path) if info.type == "dir" else (1, len(part))
    with (
        _appearing(place) as partial,
        progress_bar("getting", files=files, size=size) as progress,
    ):
        copier = _Copier(reader, progress)
        if info.type == "dir":
            copier.tree(info, partial)
        else:
            with partial.open("xb") as target:
                copier.file(info, part, target)


def _place(destination: Path, directory: bool, name: str) -> Path:
    if destination.is_dir():
        return destination / name
    parent = destination if directory else destination.parent
    if not parent.is_dir():
        raise NotFound(f"there is no directory {parent}", fix="make it first, or choose another DEST")
    return destination


@contextmanager
def _appearing(place: Path) -> Iterator[Path]:
    """A path beside ``place`` to write to, which takes its name if all goes well and vanishes otherwise."""
    partial = place.with_name(f".{place.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        yield partial
        if partial.is_dir() and place.exists():  # a rename would replace an empty directory
            raise AlreadyExists(f"{place} has appeared meanwhile", fix="choose another DEST")
        partial.rename(place)
    except OSError as error:
        raise Unavailable(f"cannot write {place}: {error.strerror}") from error
    finally:  # whatever is still there under this name is not complete
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


class _Copier:
    """Copies files out and tells how far it is.

    Parameters
    ----------
    reader
        Of the commit; it verifies each block before it is written.
    progress
        Told (files, bytes) done.
    """

    def __init__(self, reader: CommitReader, progress: Progress) -> None:
        self._reader = reader
        self._progress = progress
        self._buffer = memoryview(bytearray(BLOCK))
        self._files = self._bytes = 0

    def tree(self, root: FileInfo, place: Path) -> None:
        """Copy a directory to ``place``, which does not exist yet."""
        place.mkdir()
        for info in self._reader.walk(root.path):
            # Checked again although the store checked it when it was put: nothing may leave `place`.
            local = place / check_path(info.path).removeprefix(root.path).lstrip("/")
            if info.type == "dir":
                local.mkdir()
            else:
                with local.open("xb") as target:
                    self.file(info, range(info.size), target)

    def file(self, info: FileInfo, part: range, target: BinaryIO) -> None:
        """Copy these bytes of one file."""
        while part:
            count = self._reader.readinto(info, self._buffer[: len(part)], part.start)
            if not count:
                raise Corrupt(
                    f"{info.path}: {part.start} of {info.size} bytes are in the store",
                    fix="run 'dvmount fsck'",
                )
            target.write(self._buffer[:count])
            part = part[count:]
            self._bytes += count
            self._progress(self._files, self._bytes)
        self._files += 1
        self._progress(self._files, self._bytes)
