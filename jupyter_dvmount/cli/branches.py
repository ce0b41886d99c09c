"""``dvmount create|list|inspect|delete branch``."""

from __future__ import annotations

from typing import Any

import click

from jupyter_dvmount.store import Branch, Invalid, Location, Trigger, parse

from .locations import BRANCH, REPO
from .quantities import DURATION, SIZE
from .render import Output, output_option, show_list, show_record
from .session import Session, pass_session


@click.command("branch")
@click.argument("branch", type=BRANCH)
@click.option(
    "--head", metavar="REF", help="Commit to point at: a branch, an id, or one of these with ^ or ~N."
)
@click.option("-t", "--trigger", metavar="BRANCH", help="Take over the head of this branch by itself, when …")
@click.option("--trigger-size", type=SIZE, help="… so many bytes have been added or changed there.")
@click.option("--trigger-commits", type=int, metavar="N", help="… it has so many commits more.")
@click.option("--trigger-cron", metavar="EXPR", help="… one of these times has passed, in UTC.")
@click.option("--trigger-rate-limit", type=DURATION, help="… so much time has passed since the last time.")
@click.option("--trigger-all", is_flag=True, help="All of these have to hold, instead of any.")
@pass_session
def create(
    session: Session, /, branch: Location, *, head: str | None, trigger: str | None, **conditions: Any
) -> None:
    """Make a branch, or move an existing one to --head, or give it another --trigger.

    A trigger is looked at whenever the branch that it watches gets a new head. Without a condition it fires
    each time. It goes with its branch.

    \b
    dvmount create branch images@review --head master
    dvmount create branch images@last-good --head master~2
    dvmount create branch images@master --trigger staging --trigger-size 100MB
    dvmount create branch images@nightly --trigger master --trigger-cron '0 3 * * *'
    """
    session.store().create_branch(
        branch.repo, branch.ref, head=_ref(branch.repo, head), trigger=_trigger(trigger, conditions)
    )


def _trigger(branch: str | None, conditions: dict[str, Any]) -> Trigger | None:
    given = {
        name.removeprefix("trigger_"): value
        for name, value in conditions.items()
        if value is not None and value is not False
    }
    if branch is not None:
        return Trigger(branch=branch, **given)
    if given:
        raise click.UsageError("conditions need --trigger BRANCH, the branch that they watch")
    return None


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
