"""``dvmount create|list|inspect|delete repo``."""

from __future__ import annotations

from typing import get_args

import click

from jupyter_dvmount.store import Location, Repo
from jupyter_dvmount.store.model import RepoType

from .locations import REPO
from .render import Output, output_option, show_list, show_record
from .session import Session, pass_session


@click.command("repo")
@click.argument("repo", type=REPO)
@click.option("-d", "--description", default="", metavar="TEXT", help="One line for people.")
@pass_session
def create(session: Session, repo: Location, description: str) -> None:
    """Make an empty repository.

    \b
    dvmount create repo images -d "Photographs to classify"
    """
    session.store(create=True).create_repo(repo.repo, description=description)


@click.command("repo")
@click.option("--all", "all_", is_flag=True, help="Also those that pipelines keep for themselves.")
@click.option(
    "--type", "type_", type=click.Choice(get_args(RepoType)), help="Only those of a type.  [default: user]"
)
@output_option
@pass_session
def list_(session: Session, *, all_: bool, type_: RepoType | None, output: Output) -> None:
    """List the repositories."""
    if all_ and type_:
        raise click.UsageError("--all and --type exclude each other")
    repos = session.store().list_repos(type=None if all_ else type_ or "user")
    show_list(repos, Repo, output)


@click.command("repo")
@click.argument("repo", type=REPO)
@output_option
@pass_session
def inspect(session: Session, repo: Location, output: Output) -> None:
    """Show one repository."""
    show_record(session.store().inspect_repo(repo.repo), output)


@click.command("repo")
@click.argument("repo", type=REPO)
@click.option("-f", "--force", is_flag=True, help="Also when it has commits: they are gone for good.")
@pass_session
def delete(session: Session, repo: Location, force: bool) -> None:
    """Delete a repository; with commits in it only with --force."""
    session.store().delete_repo(repo.repo, force=force)
