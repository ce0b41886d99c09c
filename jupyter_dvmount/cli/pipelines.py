"""``dvmount create|update|list|inspect|delete|start|stop|run|explain pipeline``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from jupyter_dvmount.pipelines.jobs import PipelineInfo
from jupyter_dvmount.pipelines.model import Explained
from jupyter_dvmount.store import Invalid, Location

from .failures import FAILED
from .locations import LocationType
from .render import ID_DIGITS, Output, output_option, show_list, show_record
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

strict_option = click.option(
    "--strict",
    is_flag=True,
    help="Never run without the image: wait where it cannot be run.",
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
@strict_option
@pass_session
def create(session: Session, file: str, *, strict: bool) -> None:
    """Make pipelines, and have them run on the data that is there.

    \b
    dvmount create pipeline -f edges.yaml
    """
    specs = read_specs(file)
    session.pipelines().create([_strictly(each) for each in specs] if strict else specs)


@click.command("pipeline")
@spec_option
@strict_option
@click.option("--reprocess", is_flag=True, help="Run every datum again, changed or not.")
@pass_session
def update(session: Session, file: str, *, strict: bool, reprocess: bool) -> None:
    """Change pipelines, or make those that do not exist. Only datums that differ run again.

    \b
    dvmount update pipeline -f edges.yaml
    dvmount update pipeline -f edges.yaml --reprocess
    """
    specs = read_specs(file)
    session.pipelines().update([_strictly(each) for each in specs] if strict else specs, reprocess=reprocess)


def _strictly(spec: PipelineSpec) -> PipelineSpec:
    """A spec that never runs without its image."""
    if not spec.transform.image:
        raise Invalid(f"{spec.name} names no image", fix="give it a transform.image, or leave --strict away")
    return replace(spec, transform=replace(spec.transform, image_required=True))


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


@click.command("datum")
@spec_option
@click.argument("datum", required=False, default="", metavar="[ID|/PATH]")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Directory for its output, new or empty.  [default: PIPELINE-ID here]",
)
@pass_session
def run_datum(session: Session, file: str, datum: str, target: Path | None) -> None:
    """Try a spec before there is a pipeline: run it on one datum here, and commit nothing.

    The datum is given by its id, as explain pipeline shows it, or by the path of an input; without either it
    is the first. What the code prints is shown; its output is put into a local directory.

    \b
    dvmount run datum -f edges.yaml
    dvmount run datum -f edges.yaml /cat.png -o try
    """
    specs = read_specs(file)
    if len(specs) != 1:
        raise Invalid(f"{file} has {len(specs)} specs", fix="put the one to try into a file of its own")
    (spec,) = specs
    pipelines = session.pipelines()
    trial = pipelines.try_datum(spec, datum, to=target, tell=lambda line: click.echo(one_line(line)))
    shown = ", ".join(f"{each.name}:{each.path}" for each in trial.datum.inputs)
    name = f"{spec.name}: datum {trial.datum.id[:ID_DIGITS]} ({shown})"
    outcome = trial.outcome
    took = f"{outcome.state} in {outcome.seconds:.1f} s"
    click.echo(one_line(f"{name}: {took}, {trial.files} files in {trial.directory}"), err=True)
    if outcome.state != "success":
        click.echo(one_line(f"error: {name} ended as {outcome.state}: {outcome.reason}"), err=True)
        raise click.exceptions.Exit(FAILED)
