"""``dvmount list|inspect|stop|rerun|wait job``, ``dvmount list|inspect datum``."""

from __future__ import annotations

from typing import get_args

import click

from jupyter_dvmount.pipelines.jobs import DatumInfo, DatumState, Job
from jupyter_dvmount.store import Location

from .failures import FAILED
from .locations import LocationType
from .render import Output, output_option, show_list, show_record
from .session import Session, pass_session

JOB = LocationType("PIPELINE@ID", ref="required")


@click.command("job")
@click.argument("id", required=False, metavar="[ID]")
@click.option("-p", "--pipeline", default="", metavar="PIPELINE", help="Only the jobs of one pipeline.")
@click.option("-n", "--number", type=click.IntRange(min=1), metavar="N", help="At most N of them.")
@output_option
@pass_session
def list_(session: Session, *, id: str | None, pipeline: str, number: int | None, output: Output) -> None:
    """List jobs, newest first; with a global ID all that one change has caused.

    \b
    dvmount list job
    dvmount list job -p edges -n 10
    dvmount list job 3f8c12ab90de
    """
    from itertools import islice

    show_list(islice(session.pipelines().jobs(pipeline, id or ""), number), Job, output)


@click.command("job")
@click.argument("job", type=JOB)
@output_option
@pass_session
def inspect(session: Session, job: Location, output: Output) -> None:
    """Show one job: its state and why, its datums, inputs and output."""
    show_record(session.pipelines().job(job.repo, job.ref), output)


@click.command("job")
@click.argument("job", type=JOB)
@pass_session
def stop(session: Session, job: Location) -> None:
    """End a job at once: what it runs is killed, and its output is not used."""
    session.pipelines().stop_job(job.repo, job.ref)


@click.command("job")
@click.argument("job", type=JOB)
@click.option("--failed", is_flag=True, help="Run only what has not succeeded.")
@pass_session
def rerun(session: Session, job: Location, *, failed: bool) -> None:
    """Make a new job on the same commits, with the pipeline's spec as it is now, and print its name."""
    id = session.pipelines().rerun_job(job.repo, job.ref, failed=failed)
    click.echo(f"{job.repo}@{id}")


@click.command("job")
@click.argument("job", type=JOB)
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Give up after this time.")
@output_option
@pass_session
def wait(session: Session, job: Location, timeout: float | None, output: Output) -> None:
    """Wait until a job is over, and show it; the exit status is 1 unless it has succeeded."""
    found = session.pipelines().wait_job(job.repo, job.ref, timeout=timeout)
    show_record(found, output)
    if found.state != "success":
        click.echo(f"error: job {found.name} ended as {found.state}: {found.reason}", err=True)
        raise click.exceptions.Exit(FAILED)


@click.command("datum")
@click.argument("job", type=JOB)
@click.option(
    "--state", "states", type=click.Choice(get_args(DatumState)), multiple=True, help="Only in this state."
)
@output_option
@pass_session
def list_datums(session: Session, job: Location, states: tuple[DatumState, ...], output: Output) -> None:
    """List the datums of a job.

    \b
    dvmount list datum edges@3f8c
    dvmount list datum edges@3f8c --state failed
    """
    show_list(session.pipelines().datums(job.repo, job.ref, *states), DatumInfo, output)


@click.command("datum")
@click.argument("job", type=JOB)
@click.argument("datum")
@output_option
@pass_session
def inspect_datum(session: Session, job: Location, datum: str, output: Output) -> None:
    """Show one datum of a job, by its id or the beginning of it."""
    show_record(session.pipelines().datum(job.repo, job.ref, datum), output)
