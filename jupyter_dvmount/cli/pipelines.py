"""``dvmount create|update|list|inspect|delete|start|stop|run|explain pipeline``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from jupyter_dvmount.pipelines.jobs import PipelineInfo
from jupyter_dvmount.pipelines.model import Explained
from jupyter_dvmount.store import Location

from .locations import LocationType
from .render import Output, output_option, show_list, show_record
from .session import Session, pass_session
from .text import one_line

if TYPE_CHECKING:
    from jupyter_dvmount.pipelines.spec import PipelineSpec

INPUT = LocationType("REPO@REF", ref="required", names="commit")
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
    from jupyter_dvmount.pipelines.datums import current_heads
    from jupyter_dvmount.pipelines.explain import nothing_because

    store, names = session.store(), {spec.name for spec in specs}
    pipelines = session.pipelines()
    plans = [(spec, current_heads(store, spec, expected=names)) for spec in specs]
    for spec, heads in plans:
        actions: Counter[str] = Counter()
        for each in pipelines.explain(spec, heads):
            actions[each.action] += 1
            yield each
        sys.stdout.flush()
        sums = ", ".join(f"{number} {action}" for action, number in sorted(actions.items()))
        click.echo(f"{spec.name}: {sums or f'nothing to do: {nothing_because(spec, heads)}'}", err=True)


@click.command("pipeline")
@spec_option
@pass_session
def create(session: Session, file: str) -> None:
    """Make pipelines, and have them run on the data that is there.

    \b
    dvmount create pipeline -f edges.yaml
    """
    session.pipelines().create(read_specs(file))


@click.command("pipeline")
@spec_option
@click.option("--reprocess", is_flag=True, help="Run every datum again, changed or not.")
@pass_session
def update(session: Session, file: str, *, reprocess: bool) -> None:
    """Change pipelines, or make those that do not exist. Only datums that differ run again.

    \b
    dvmount update pipeline -f edges.yaml
    dvmount update pipeline -f edges.yaml --reprocess
    """
    session.pipelines().update(read_specs(file), reprocess=reprocess)


@click.command("pipeline")
@output_option
@pass_session
def list_(session: Session, output: Output) -> None:
    """List the pipelines."""
    show_list(session.pipelines().all(), PipelineInfo, output)


@click.command("pipeline")
@click.argument("pipeline")
@output_option
@pass_session
def inspect(session: Session, pipeline: str, output: Output) -> None:
    """Show one pipeline with its spec."""
    show_record(session.pipelines().inspect(pipeline), output)


@click.command("pipeline")
@click.argument("pipeline")
@click.option("--keep-repo", is_flag=True, help="Leave the repository of its output.")
@click.option("-f", "--force", is_flag=True, help="Although other pipelines read its output.")
@pass_session
def delete(session: Session, pipeline: str, *, keep_repo: bool, force: bool) -> None:
    """Delete a pipeline with its jobs and its output; what it runs is killed."""
    session.pipelines().delete(pipeline, keep_output=keep_repo, force=force)


@click.command("pipeline")
@click.argument("pipeline")
@pass_session
def start(session: Session, pipeline: str) -> None:
    """Let a stopped pipeline go on: with a job for each commit that came meanwhile."""
    session.pipelines().pause(pipeline, paused=False)


@click.command("pipeline")
@click.argument("pipeline")
@pass_session
def stop(session: Session, pipeline: str) -> None:
    """Have a pipeline begin nothing new; datums that run are let run."""
    session.pipelines().pause(pipeline, paused=True)


@click.command("pipeline")
@click.argument("pipeline")
@click.argument("inputs", type=INPUT, nargs=-1, metavar="[REPO@REF]…")
@pass_session
def run(session: Session, pipeline: str, inputs: tuple[Location, ...]) -> None:
    """Make a job by hand and print its name. Clocks among the inputs tick.

    \b
    dvmount run pipeline edges
    dvmount run pipeline edges images@3f8c     on an older commit
    """
    id = session.pipelines().run(pipeline, {each.repo: each.ref for each in inputs})
    click.echo(f"{pipeline}@{id}")
