"""``dvmount start|finish|list|inspect|wait|drop commit``."""

from __future__ import annotations

from itertools import islice
from typing import get_args

import click

from jupyter_dvmount.config import author
from jupyter_dvmount.store import Commit, Location
from jupyter_dvmount.store.model import Origin

from .locations import COMMIT, REPO_OR_BRANCH, WRITABLE
from .render import Output, output_option, show_list, show_record
from .session import Session, pass_session


@click.command("commit")
@click.argument("branch", type=WRITABLE)
@click.option("-m", "--message", default="", metavar="TEXT", help="What the commit is for.")
@pass_session
def start(session: Session, branch: Location, message: str) -> None:
    """Open a commit on a branch and print its id.

    What is put to the branch goes into it until it is finished; nobody sees it before.

    \b
    dvmount start commit images@master -m "Photographs of May"
    dvmount put file images@master -f a.png
    dvmount put file images@master -f b.png
    dvmount finish commit images@master
    """
    commit = session.store().start_commit(branch.repo, branch.ref, message=message, author=author())
    click.echo(commit.id)


@click.command("commit")
@click.argument("commit", type=COMMIT)
@click.option("-m", "--message", metavar="TEXT", help="Replaces the message given at the start.")
@pass_session
def finish(session: Session, commit: Location, message: str | None) -> None:
    """Make an open commit visible, whole and for good, and print its id."""
    click.echo(session.store().finish_commit(commit.repo, commit.ref, message=message).id)


@click.command("commit")
@click.argument("repo", type=REPO_OR_BRANCH)
@click.option("-n", "--number", type=click.IntRange(min=1), metavar="N", help="At most N of them.")
@click.option(
    "--origin", type=click.Choice(get_args(Origin)), help="Only what somebody put, or what pipelines made."
)
@output_option
@pass_session
def list_(
    session: Session, repo: Location, *, number: int | None, origin: Origin | None, output: Output
) -> None:
    """List the commits of a repository or of one branch, newest first."""
    limit = None if origin else number
    commits = session.store().list_commits(repo.repo, branch=repo.ref or None, limit=limit)
    found = (commit for commit in commits if origin in {None, commit.origin})
    show_list(islice(found, number), Commit, output)


@click.command("commit")
@click.argument("commit", type=COMMIT)
@output_option
@pass_session
def inspect(session: Session, commit: Location, output: Output) -> None:
    """Show one commit, open or finished."""
    show_record(session.store().inspect_commit(commit.repo, commit.ref), output)


@click.command("commit")
@click.argument("commit", type=COMMIT)
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Give up after this time.")
@output_option
@pass_session
def wait(session: Session, commit: Location, timeout: float | None, output: Output) -> None:
    """Wait until a commit is finished, and show it."""
    show_record(session.store().wait_commit(commit.repo, commit.ref, timeout=timeout), output)


@click.command("commit")
@click.argument("commit", type=COMMIT)
@pass_session
def drop(session: Session, commit: Location) -> None:
    """Throw away an open commit with everything put into it."""
    session.store().drop_commit(commit.repo, commit.ref)
