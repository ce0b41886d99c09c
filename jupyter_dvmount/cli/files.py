"""``dvmount list|inspect|diff|copy|delete file``; `put` and `get` have modules of their own."""

from __future__ import annotations

import click
import msgspec

from jupyter_dvmount.config import author
from jupyter_dvmount.store import DiffEntry, FileInfo, Invalid, Location, NotFound, check_path

from .locations import FILE, typed_path
from .render import Output, output_option, show_list, show_record
from .session import Session, pass_session


@click.command("file")
@click.argument("directory", type=FILE)
@output_option
@pass_session
def list_(session: Session, directory: Location, output: Output) -> None:
    """List one directory of a commit, or one file.

    \b
    dvmount list file images@master
    dvmount list file images@master^:/pets
    """
    reader = session.store().read(directory.repo, directory.ref)
    info = reader.lookup(directory.path)
    if info is not None and info.type == "file":
        show_list([info], FileInfo, output)
        return
    show_list(reader.list(directory.path), FileInfo, output)


@click.command("file")
@click.argument("file", type=FILE)
@output_option
@pass_session
def inspect(session: Session, file: Location, output: Output) -> None:
    """Show one file or directory; of a directory also the size of everything in it."""
    reader = session.store().read(file.repo, file.ref)
    info = reader.lookup(file.path)
    if info is None:
        raise NotFound(f"{file} does not exist", fix=f"see 'dvmount list file {file.repo}@{file.ref}'")
    if info.type == "dir":
        info = msgspec.structs.replace(info, size=reader.usage(file.path)[1])
    show_record(info, output)


@click.command("file")
@click.argument("new", metavar=FILE.name)
@click.argument("old", metavar="[OTHER]", required=False)
@click.option("--shallow", is_flag=True, help="Show a directory that one side lacks without what is in it.")
@output_option
@pass_session
def diff(session: Session, new: str, old: str | None, *, shallow: bool, output: Output) -> None:
    """List what changed in a commit since its parent, or since OTHER: A added, D deleted, M changed.

    \b
    dvmount diff file images@master
    dvmount diff file images@master:/pets images@master~3
    """
    location = FILE.convert(new, None, None)
    other = FILE.convert(old, None, None) if old else None
    if old and other and typed_path(old) and other.path != location.path:
        raise Invalid(
            "two different paths cannot be compared", fix=f"compare {location} with {other.repo}@{other.ref}"
        )
    entries = session.store().diff(
        location.repo,
        location.ref,
        other.repo if other else None,
        other.ref if other else None,
        path=location.path,
        shallow=shallow,
    )
    if not shallow:  # directories appear and disappear with their files: only these are news
        entries = (entry for entry in entries if not _is_directory(entry))
    show_list(entries, DiffEntry, output)


def _is_directory(entry: DiffEntry) -> bool:
    return all(side is None or side.type == "dir" for side in (entry.old, entry.new))


@click.command("file")
@click.argument("source", type=FILE)
@click.argument("target", metavar="REPO[@BRANCH][:/PATH]")
@click.option("-m", "--message", default="", metavar="TEXT", help="Message of the commit.")
@pass_session
def copy(session: Session, source: Location, target: str, message: str) -> None:
    """Copy a file or directory of any finished commit to a branch and print the commit's id.

    No bytes are moved. Without a path it keeps its own; a path that ends in / is the directory it goes into.

    \b
    dvmount copy file images@review:/pets/cat.png images@master
    dvmount copy file images@master~2:/pets images@master:/old/
    """
    location = FILE.convert(target, None, None)
    typed = typed_path(target)
    path = location.path if typed else source.path
    if typed.endswith("/"):
        path = check_path(f"{path.rstrip('/')}/{source.path.rpartition('/')[2]}")
    with session.store().modify(location.repo, location.ref, message=message, author=author()) as writer:
        writer.copy(source.repo, source.ref, source.path, path)
    click.echo(writer.commit.id)


@click.command("file")
@click.argument("file", metavar="REPO[@BRANCH]:/PATH")
@click.option("-m", "--message", default="", metavar="TEXT", help="Message of the commit.")
@pass_session
def delete(session: Session, file: str, message: str) -> None:
    """Delete a file, or a directory with everything in it, from a branch and print the commit's id."""
    location = FILE.convert(file, None, None)
    if not typed_path(file):
        raise Invalid(f"{file!r} names no path", fix=f"say which: {file}:/PATH")
    with session.store().modify(location.repo, location.ref, message=message, author=author()) as writer:
        writer.delete(location.path)
    click.echo(writer.commit.id)
