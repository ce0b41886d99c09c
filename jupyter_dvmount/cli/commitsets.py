"""``dvmount list|inspect|squash|drop|wait commitset``."""

from __future__ import annotations

import click

from jupyter_dvmount.store import CommitSet

from .locations import COMMIT_SET
from .render import Output, output_option, show_list, show_record
from .session import Session, pass_session


@click.command("commitset")
@click.option("-n", "--number", type=click.IntRange(min=1), metavar="N", help="At most N of them.")
@output_option
@pass_session
def list_(session: Session, number: int | None, output: Output) -> None:
    """List what single changes have caused in all repositories, newest first."""
    show_list(session.store().list_commit_sets(limit=number), CommitSet, output)


@click.command("commitset")
@click.argument("id_", metavar="ID", type=COMMIT_SET)
@output_option
@pass_session
def inspect(session: Session, id_: str, output: Output) -> None:
    """Show the commits, in different repositories, that share an id: one change and what came of it."""
    show_record(session.store().inspect_commit_set(id_), output)


@click.command("commitset")
@click.argument("id_", metavar="ID", type=COMMIT_SET)
@pass_session
def squash(session: Session, id_: str) -> None:
    """Remove the commits of a set from the history; what they changed stays in the commits after them.

    Refused if one of them is the last of its branch, or if another set was computed from it.
    """
    session.store().squash_commit_set(id_)


@click.command("commitset")
@click.argument("id_", metavar="ID", type=COMMIT_SET)
@pass_session
def drop(session: Session, id_: str) -> None:
    """Take a change back, with everything that was computed from it: branches go back to the commit before.

    Refused if a commit comes after one of them, or if another set was computed from it.

    \b
    dvmount drop commitset "$(dvmount inspect commit images@master -o json | jq -r .id)"
    """
    session.store().drop_commit_set(id_)


@click.command("commitset")
@click.argument("id_", metavar="ID", type=COMMIT_SET)
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Give up after this time.")
@output_option
@pass_session
def wait(session: Session, id_: str, timeout: float | None, output: Output) -> None:
    """Wait until all commits of a set are finished, and show it."""
    show_record(session.store().wait_commit_set(id_, timeout=timeout), output)
