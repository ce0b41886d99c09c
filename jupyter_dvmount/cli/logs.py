"""``dvmount logs``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import msgspec

from jupyter_dvmount.store import NotFound

from .jobs import JOB
from .render import ID_DIGITS, Output, output_option
from .session import Session, pass_session
from .text import one_line

if TYPE_CHECKING:
    from jupyter_dvmount.store import Location


@click.command("logs")
@click.option("-p", "--pipeline", metavar="PIPELINE", help="Of the pipeline's newest job.")
@click.option("-j", "--job", type=JOB, metavar="PIPELINE@ID", help="Of one job.")
@click.option("--datum", default="", metavar="ID", help="Of one datum only.")
@click.option("--failed", is_flag=True, help="Of attempts that have failed only.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job is over.")
@output_option
@pass_session
def logs(
    session: Session,
    *,
    pipeline: str | None,
    job: Location | None,
    datum: str,
    failed: bool,
    follow: bool,
    output: Output,
) -> None:
    """Print what the code of a job has printed. Secrets are not in it.

    Where there is more than one datum, each line begins with its id. Lines of the engine begin with two
    dashes.

    \b
    dvmount logs -p edges -f
    dvmount logs -j edges@3f8c --failed
    dvmount logs -j edges@3f8c --datum 91c0 -o json
    """
    if (pipeline is None) == (job is None):
        raise click.UsageError("give one of --pipeline and --job")
    pipelines = session.pipelines()
    if job is not None:
        found = pipelines.job(job.repo, job.ref)
    else:
        newest = next(pipelines.jobs(pipeline or ""), None)
        if newest is None:
            raise NotFound(f"pipeline {pipeline!r} has had no job yet", fix="run pipeline makes one")
        found = newest
    lines = pipelines.log_lines(found.pipeline, found.id, datum=datum, failed=failed, follow=follow)
    if output == "json":
        for line in lines:
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
            sys.stdout.flush()
        return
    prefixed: bool | None = None
    for line in lines:
        if prefixed is None:  # not before: a job that has just been made does not know its datums yet
            prefixed = not datum and pipelines.job(found.pipeline, found.id).datums.total != 1
        start = f"{line.datum[:ID_DIGITS]} " if prefixed else ""
        sys.stdout.write(f"{start}{'-- ' if line.engine else ''}{one_line(line.text)}\n")
        sys.stdout.flush()
