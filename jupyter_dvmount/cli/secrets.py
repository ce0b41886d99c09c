"""``dvmount create|list|inspect|delete secret``."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

import click

from jupyter_dvmount.pipelines.secrets import Secret, SecretStore, read_manifests
from jupyter_dvmount.store import Invalid, NotFound

from .render import Output, output_option, show_list, show_record
from .session import Session, pass_session


def _secrets(session: Session) -> SecretStore:
    return SecretStore(session.config.state / "secrets")


@click.command("secret")
@click.argument("name", required=False)
@click.option("-f", "--file", "file", type=click.File("rb"), help="Kubernetes secret, JSON or YAML, or -.")
@click.option("--from-env", "variables", metavar="KEY=VAR", multiple=True, help="Value of a variable.")
@click.option("--from-stdin", "stdin", metavar="KEY", help="Value from stdin, or typed unseen.")
@pass_session
def create(
    session: Session, name: str | None, file: BinaryIO | None, variables: tuple[str, ...], stdin: str | None
) -> None:
    """Store a secret for pipelines; its values are never shown again.

    Values are not taken from the command line, where every user of the machine could read them.

    \b
    dvmount create secret -f wandb-secret.yaml
    dvmount create secret wandb --from-env WANDB_API_KEY=WANDB_API_KEY
    dvmount create secret wandb --from-stdin WANDB_API_KEY < key.txt
    """
    if (file is None) == (name is None) or (file is not None and (variables or stdin)):
        raise click.UsageError("give -f FILE, or NAME with --from-env or --from-stdin")
    found = [(name or "", _values(variables, stdin))] if file is None else read_manifests(file.read())
    for each, values in found:
        click.echo(_secrets(session).create(each, values).name)


def _values(variables: tuple[str, ...], stdin: str | None) -> dict[str, bytes]:
    values: dict[str, bytes] = {}
    for pair in variables:
        key, _, variable = pair.partition("=")
        value = os.environb.get(os.fsencode(variable or key))
        if value is None:
            raise NotFound(f"the variable {variable or key} is not set", fix="export it first")
        values[key] = value
    if stdin is not None:
        values[stdin] = _typed(stdin)
    if not values:
        raise click.UsageError("give at least one value with --from-env or --from-stdin")
    return values


def _typed(key: str) -> bytes:
    if sys.stdin.isatty():
        typed: str = click.prompt(key, hide_input=True)
        return typed.encode()
    value = sys.stdin.buffer.read().removesuffix(b"\n").removesuffix(b"\r")
    if not value:
        raise Invalid("standard input is empty", fix="pipe the value in")
    return value


@click.command("secret")
@output_option
@pass_session
def list_(session: Session, output: Output) -> None:
    """List the secrets, by name and keys."""
    show_list(_secrets(session).list(), Secret, output)


@click.command("secret")
@click.argument("name")
@output_option
@pass_session
def inspect(session: Session, name: str, output: Output) -> None:
    """Show one secret, without its values."""
    show_record(_secrets(session).inspect(name), output)


@click.command("secret")
@click.argument("name")
@pass_session
def delete(session: Session, name: str) -> None:
    """Delete a secret; jobs that need it cannot run any more."""
    _secrets(session).delete(name)
