"""``dvmount explain pipeline``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from jupyter_dvmount.pipelines.model import Explained

from .render import Output, output_option, show_list
from .session import Session, pass_session
from .text import one_line

if TYPE_CHECKING:
    from jupyter_dvmount.pipelines.spec import PipelineSpec

spec_option = click.option(
    "-f",
    "--file",
    "file",
    required=True,
    metavar="FILE",
    help="Spec in JSON or YAML, one or several; - reads standard input.",
)


def read_specs(file: str) -> list[PipelineSpec]:
    """The specs of a file; a line on standard error for each of their fields that has no effect."""
    from jupyter_dvmount.pipelines.spec import load

    parsed = load("/dev/stdin" if file == "-" else file)
    for each in parsed:
        for warning in each.warnings:
            click.echo(one_line(f"warning: {each.spec.name}: {warning}"), err=True)
    return [each.spec for each in parsed]


@click.command("pipeline")
@spec_option
@output_option
@pass_session
def explain(session: Session, file: str, output: Output) -> None:
    """Check a spec and say of each datum whether it would run, and why. Changes nothing.

    \b
    dvmount explain pipeline -f edges.json
    dvmount explain pipeline -f edges.yaml -o json
    """
    show_list(_explained(session, read_specs(file)), Explained, output)


def _explained(session: Session, specs: list[PipelineSpec]) -> Iterator[Explained]:
    """What would happen to the datums of all specs, and a sum of each on standard error."""
    from jupyter_dvmount.pipelines.datums import code_of, current_heads
    from jupyter_dvmount.pipelines.datums.scratch import Scratch
    from jupyter_dvmount.pipelines.explain import NothingEarlier, explain, nothing_because

    store, names = session.store(), {spec.name for spec in specs}
    plans = [(spec, current_heads(store, spec, expected=names)) for spec in specs]
    for spec, heads in plans:
        actions: Counter[str] = Counter()
        with Scratch() as scratch:
            nothing = NothingEarlier()
            for each in explain(store, spec, heads, code_of(spec), earlier=nothing, scratch=scratch):
                actions[each.action] += 1
                yield each
        sys.stdout.flush()
        sums = ", ".join(f"{number} {action}" for action, number in sorted(actions.items()))
        click.echo(f"{spec.name}: {sums or f'nothing to do: {nothing_because(spec, heads)}'}", err=True)
