"""How a command ends: one line on stderr and an exit status, whatever happened."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

import click

from jupyter_dvmount.store import StoreError

from .text import one_line

FAILED = 1
INTERRUPTED = 128 + 2
"""What a shell reports for a program that SIGINT ended."""
BROKEN_PIPE = 128 + 13


class Root(click.Group):
    """The group at the top, which turns every exception into the one-line form.

    Usage errors stay with click (status 2). With ``--debug`` everything else goes up as it is.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see the class."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            _silence_stdout()
            raise click.exceptions.Exit(BROKEN_PIPE) from None
        except KeyboardInterrupt:
            _stop("interrupted", INTERRUPTED)
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            _stop(describe(error), FAILED)
        return result


def describe(error: Exception) -> str:
    """One line for people: what failed, why, and what to do."""
    if isinstance(error, StoreError):
        return one_line(error.line)
    if isinstance(error, OSError) and error.strerror:
        name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
        return one_line(f"{name}: {error.strerror}" if name else error.strerror)
    return one_line(
        f"unexpected {type(error).__name__}: {error}; this is a bug: "
        "run again with 'dvmount --debug …' and report what it prints"
    )


def _stop(message: str, status: int) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    raise click.exceptions.Exit(status) from None


def _silence_stdout() -> None:
    """Keep the interpreter from complaining, at exit, about what it cannot write any more."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
