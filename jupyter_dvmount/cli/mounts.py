"""``dvmount mount``, ``unmount`` and ``list mount``."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from jupyter_dvmount.mounting.model import Mount, Unmounted
from jupyter_dvmount.store import Location, StoreError

from .locations import COMMIT
from .progress import progress_bar
from .render import Output, human_id, output_option, show_list
from .session import Session, pass_session


@click.command()
@click.argument("commit", type=COMMIT)
@click.argument("place", metavar="[NAME|DIR]", required=False)
@click.option("--follow", is_flag=True, help="Move to the branch's new commits as they are made.")
@pass_session
def mount(session: Session, commit: Location, place: str | None, follow: bool) -> None:
    """Make the files of a commit ordinary, read-only local files, and print where they are.

    A NAME appears in the mount root (~/dvmount, or DVMOUNT_ROOT) and defaults to the repository's; anything
    with a slash is the place itself. A mount stays at its commit unless it follows.

    \b
    dvmount mount images@master
    dvmount mount images@master^ before
    dvmount mount tables@master ./tables --follow
    ls $(dvmount mount images@master)
    """
    manager = session.manager()
    manager.expect()
    reader = session.store().read(commit.repo, commit.ref)
    files, size = reader.usage()
    directory = Path(os.path.abspath(place)) if place and "/" in place else None  # noqa: PTH100 - not the link's target
    with progress_bar("copying", files=files, size=size) as progress:
        made = manager.mount(
            commit.repo,
            commit.ref,
            name=None if directory else place,
            directory=directory,
            follow=follow,
            progress=progress,
        )
    click.echo(made.path)
    _explain(session, made, f"{commit.repo}@{commit.ref}")


def _explain(session: Session, made: Mount, what: str) -> None:
    """Tell a person on stderr what there is now; stdout is the path alone, for scripts."""
    click.echo(f"{what} (commit {human_id(made.commit)}) is there, read-only.", err=True)
    if made.mode == "checkout":
        reasons = [check.detail for check in session.manager().probe() if check.status != "ok"]
        click.echo(f"The files were copied out: {'; '.join(reasons) or 'FUSE is not used here'}", err=True)
    click.echo(f"To take it away: dvmount unmount {made.name}", err=True)


class _MountType(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    name = "NAME|DIR"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        session = Session(ctx.find_root().params.get("store"))
        try:
            names = [each.name for each in session.manager().list()]
        except StoreError:
            return []
        finally:
            session.close()
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


@click.command()
@click.argument("names", type=_MountType(), nargs=-1)
@click.option("--all", "every", is_flag=True, help="Everything that is mounted.")
@pass_session
def unmount(session: Session, names: tuple[str, ...], every: bool) -> None:
    """Take mounts away. Programs that have files open go on reading them; they are named."""
    if every == bool(names):
        raise click.UsageError("give the mounts to take away, or --all")
    manager = session.manager()
    gone = manager.unmount_all() if every else [manager.unmount(_name(each)) for each in names]
    for each in gone:
        click.echo(each.name)
        _name_holders(each)


def _name(typed: str) -> str:
    """A mount's name, or the absolute path of its link (which must not be resolved)."""
    return os.path.abspath(typed) if "/" in typed else typed  # noqa: PTH100


def _name_holders(gone: Unmounted) -> None:
    if gone.holders:
        who = ", ".join(f"{holder.command} ({holder.pid})" for holder in gone.holders)
        click.echo(f"{gone.name} is still read by {who}", err=True)


@click.command("mount")
@output_option
@pass_session
def list_(session: Session, output: Output) -> None:
    """List what is mounted."""
    show_list(session.manager().list(), Mount, output)
