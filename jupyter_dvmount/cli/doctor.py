"""``dvmount doctor``, ``fsck``, ``gc`` and ``version``: how things stand."""

from __future__ import annotations

from importlib.metadata import version as installed

import click

from jupyter_dvmount.mounting.model import Check
from jupyter_dvmount.store import Problem, RepoUsage, Usage, rebuild_store

from .failures import FAILED
from .progress import progress_bar
from .quantities import DURATION
from .render import Output, output_option, show_list, show_record
from .session import Session


@click.command()
@output_option
@click.pass_context
def doctor(ctx: click.Context, output: Output) -> None:
    """Say what works here and, in one line each, how to mend what does not. Fails if something is missing."""
    from jupyter_dvmount.doctor import diagnose

    checks = diagnose(ctx.ensure_object(Session).config)
    show_list(checks, Check, output)
    if any(check.status == "missing" for check in checks):
        ctx.exit(FAILED)


@click.command()
@click.option("--full", is_flag=True, help="Read every stored byte again instead of the tables only.")
@click.option("--rebuild", is_flag=True, help="First make the tables anew from the stored data alone.")
@output_option
@click.pass_context
def fsck(ctx: click.Context, full: bool, rebuild: bool, output: Output) -> None:
    """Check the store; list what is lost. Fails if there is anything.

    --rebuild is for a store whose catalog is lost or damaged: repositories, branches and commits come from
    the journal, contents from the packs. End the programs that use the store first. The old catalog is kept.
    """
    session = ctx.ensure_object(Session)
    problems: list[Problem] = []
    if rebuild:
        with progress_bar("rebuilding") as progress:
            problems += rebuild_store(session.config.store, progress=progress)
    with progress_bar("checking") as progress:
        problems += session.store().fsck(full=full, progress=progress)
    show_list(problems, Problem, output)
    if problems:
        ctx.exit(FAILED)


@click.command()
@click.option(
    "--grace",
    type=DURATION,
    default="1h",
    show_default=True,
    help="How long what no commit needs is kept after it was found, as in 90s, 10m or 1h30m.",
)
@output_option
@click.pass_context
def gc(ctx: click.Context, grace: float, output: Output) -> None:
    """Free what no commit needs any more.

    The first run after something was deleted condemns what it held, a run after the grace time removes it.
    Other programs may read and write meanwhile. A commit that was going to share what a run removes fails and
    says so; a longer grace time makes that less likely.

    \b
    dvmount gc
    dvmount gc --grace 0s        # at once, when nobody else writes
    """
    with progress_bar("collecting") as progress:
        done = ctx.ensure_object(Session).store().gc(grace=grace, progress=progress)
    show_record(done, output)


@click.command()
@output_option
@click.pass_context
def usage(ctx: click.Context, output: Output) -> None:
    """Show what each repository holds, and what all of them cost on the disk.

    LOGICAL counts every commit as if it were a copy, UNIQUE counts equal contents once, STORED does so after
    compression. SIZE are the bytes of the files; GARBAGE of them is what 'dvmount gc' has found unused.
    """
    found = ctx.ensure_object(Session).store().usage()
    if output == "json":
        show_record(found, output)
        return
    show_list(found.repos, RepoUsage, output)
    click.echo()
    show_list([found], Usage, output)


@click.command()
def version() -> None:
    """Print the version."""
    click.echo(installed("jupyter-dvmount"))
