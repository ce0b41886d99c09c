"""``dvmount completion``: the shell's side of completing arguments."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "dvmount"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that makes a shell complete dvmount's arguments.

    \b
    eval "$(dvmount completion bash)"       in ~/.bashrc
    eval "$(dvmount completion zsh)"        in ~/.zshrc
    dvmount completion fish | source        in ~/.config/fish/config.fish
    """
    found = get_completion_class(shell)
    if found is None:  # click knows all three choices
        raise click.UsageError(f"no completion for {shell}")
    click.echo(found(ctx.find_root().command, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source())
