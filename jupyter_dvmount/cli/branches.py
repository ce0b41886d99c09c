"""``dvmount create|list|inspect|delete branch``."""

from __future__ import annotations

import click

from jupyter_dvmount.store import Branch, Invalid, Location, parse

from .locations import BRANCH, REPO
from .render import Output, output_option, show_list, show_record
from .session import Session, pass_session


@click.command("branch")
@click.argument("branch", type=BRANCH)
@click.option(
    "--head", metavar="REF", help="Commit to point at: a branch, an id, or one of these with ^ or ~N."
)
@pass_session
def create(session: Session, branch: Location, head: str | None) -> None:
    """Make a branch, or move an existing one to --head.

    \b
    dvmount create branch images@review --head master
    dvmount create branch images@last-good --head master~2
    """
    session.store().create_branch(branch.repo, branch.ref, head=_ref(branch.repo, head))


def _ref(repo: str, head: str | None) -> str | None:
    """``REF``, or ``REPO@REF`` if that is what was typed, of the same repository."""
    if head is None or "@" not in head:
        return head
    location = parse(head)
    if location.repo != repo:
        raise Invalid(
            f"a branch of {repo} cannot point at a commit of {location.repo}",
            fix=f"name a commit of {repo}",
        )
    return location.ref


@click.command("branch")
@click.argument("repo", type=REPO)
@output_option
@pass_session
def list_(session: Session, repo: Location, output: Output) -> None:
    """List the branches of a repository."""
    show_list(session.store().list_branches(repo.repo), Branch, output)


@click.command("branch")
@click.argument("branch", type=BRANCH)
@output_option
@pass_session
def inspect(session: Session, branch: Location, output: Output) -> None:
    """Show one branch."""
    show_record(session.store().inspect_branch(branch.repo, branch.ref), output)


@click.command("branch")
@click.argument("branch", type=BRANCH)
@pass_session
def delete(session: Session, branch: Location) -> None:
    """Delete a branch; its commits stay reachable by their ids."""
    session.store().delete_branch(branch.repo, branch.ref)
