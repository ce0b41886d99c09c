"""``dvmount doctor``, ``fsck`` and ``version``: how things stand."""

from __future__ import annotations

from importlib.metadata import version as installed

import click

from jupyter_dvmount.mounting.model import Check
from jupyter_dvmount.store import Problem

from .failures import FAILED
from .progress import progress_bar
from .render import Output, output_option, show_list
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
@output_option
@click.pass_context
def fsck(ctx: click.Context, full: bool, output: Output) -> None:
    """Check the store; list what is lost. Fails if there is anything."""
    with progress_bar("checking") as progress:
        problems = list(ctx.ensure_object(Session).store().fsck(full=full, progress=progress))
    show_list(problems, Problem, output)
    if problems:
        ctx.exit(FAILED)


@click.command()
def version() -> None:
    """Print the version."""
    click.echo(installed("jupyter-dvmount"))
