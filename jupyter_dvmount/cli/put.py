"""``dvmount put file``."""

from __future__ import annotations

import sys

import click

from jupyter_dvmount.config import author
from jupyter_dvmount.store import CommitWriter, Invalid, Location, Progress, check_path

from .locations import FILE, typed_path
from .progress import progress_bar
from .session import Session, pass_session
from .sources import STDIN, Source, check_location, is_directory, own_name, source


@click.command("file")
@click.argument("target", metavar="REPO[@BRANCH][:/PATH]")
@click.option(
    "-f", "--file", "locations", multiple=True, metavar="SRC|-|URL", help="What to put; may be repeated."
)
@click.option("-r", "--recursive", is_flag=True, help="Put directories with everything in them.")
@click.option(
    "-a", "--append", is_flag=True, help="Add to the files that are there instead of replacing them."
)
@click.option("-m", "--message", default="", metavar="TEXT", help="Message of the commit.")
@pass_session
def put(
    session: Session, *, target: str, locations: tuple[str, ...], recursive: bool, append: bool, message: str
) -> None:
    """Put files into a branch and print the id of the commit.

    Without an open commit on the branch the files make a commit of their own. Everything is put, or
    nothing. Without -f, standard input is read.

    \b
    dvmount put file images@master -f cat.png                 → /cat.png
    dvmount put file images@master:/pets/ -f cat.png          → /pets/cat.png
    dvmount put file images@master:/pets/tom.png -f cat.png   → /pets/tom.png
    dvmount put file images@master -r -f photos               → /photos/…
    dvmount put file images@master:/2026 -r -f photos         → /2026/…
    dvmount put file images@master -f https://example.org/data.csv
    dvmount put file images@master:/2026 -r -f s3://bucket/photos
    gzip -dc log.gz | dvmount put file logs@master:/log.txt
    """
    location = FILE.convert(target, None, None)
    if not locations and sys.stdin.isatty():
        click.echo("reading from the terminal; end with Ctrl-D", err=True)
    store = session.store()
    store.inspect_repo(location.repo)  # before much is read for a repository that is not there
    sources = _sources(location, typed_path(target), locations or (STDIN,), recursive, append)
    sizes = [each.size for each in sources]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    with (
        progress_bar("putting", files=sum(each.files for each in sources), size=total) as progress,
        store.modify(location.repo, location.ref, message=message, author=author()) as writer,
    ):
        _write(writer, sources, append, progress)
    click.echo(writer.commit.id)


def _write(writer: CommitWriter, sources: list[Source], append: bool, progress: Progress) -> None:
    """Write all sources, then look whether any of them had changed: raising here drops everything."""
    meter = _Meter(progress)
    for each in sources:
        each.write(writer, append=append, progress=meter)
        meter.next()
    for each in sources:
        each.verify()


class _Meter:
    """Adds up the progress of one source after another."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._before = (0, 0)
        self._now = (0, 0)

    def __call__(self, files: int, size: int) -> None:
        self._now = (self._before[0] + files, self._before[1] + size)
        self._progress(*self._now)

    def next(self) -> None:
        """What comes counts from zero again."""
        self._before = self._now


def _sources(
    location: Location, typed: str, locations: tuple[str, ...], recursive: bool, append: bool
) -> list[Source]:
    for each in locations:
        check_location(each)
    several = len(locations) > 1
    targets = [
        _target(location, typed, each, directory=is_directory(each, recursive=recursive), several=several)
        for each in locations
    ]
    taken: set[str] = set()
    for target in targets:
        if target in taken and not append:
            raise Invalid(f"two of the sources would become {target}", fix="put them under other names")
        taken.add(target)
    return [
        source(each, target, recursive=recursive) for each, target in zip(locations, targets, strict=True)
    ]


def _target(location: Location, typed: str, source: str, *, directory: bool, several: bool) -> str:
    """Where one source goes.

    A path that is typed without a slash at its end is the place itself; with one, or for several
    sources, it is the directory they go into. A directory put to a path becomes that path.
    """
    if typed and not several and (directory or not typed.endswith("/")):
        return location.path
    name = own_name(source)
    if not name:
        raise Invalid(
            f"no name for what is read from {'standard input' if source == STDIN else source}",
            fix=f"say where to put it: {location.repo}@{location.ref}:/PATH",
        )
    return check_path(f"{location.path.rstrip('/')}/{name}")
