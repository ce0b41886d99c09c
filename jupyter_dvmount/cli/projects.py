"""``dvmount create|list|inspect|delete project``."""

from __future__ import annotations

import click

from jupyter_dvmount.store import Project

from .render import Output, output_option, show_list, show_record
from .session import Session, pass_session


@click.command("project")
@click.argument("project")
@click.option("-d", "--description", default="", metavar="TEXT", help="One line for people.")
@pass_session
def create(session: Session, project: str, description: str) -> None:
    """Make a project: repositories named PROJECT/… belong to it.

    A project also appears with its first repository. The project of names without one is called default.

    \b
    dvmount create project vision -d "Everything with a camera"
    dvmount create repo vision/images
    """
    session.store(create=True).create_project(project, description=description)


@click.command("project")
@output_option
@pass_session
def list_(session: Session, output: Output) -> None:
    """List the projects."""
    show_list(session.store().list_projects(), Project, output)


@click.command("project")
@click.argument("project")
@output_option
@pass_session
def inspect(session: Session, project: str, output: Output) -> None:
    """Show one project."""
    show_record(session.store().inspect_project(project), output)


@click.command("project")
@click.argument("project")
@pass_session
def delete(session: Session, project: str) -> None:
    """Delete a project that has no repositories."""
    session.store().delete_project(project)
