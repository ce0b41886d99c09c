"""``dvmount controller``."""

from __future__ import annotations

import logging

import click

from .session import Session, pass_session


@click.command("controller")
@click.option("--once", is_flag=True, help="Do what is to be done now, and end.")
@click.option("--stop", is_flag=True, help="End the one that runs; the next change of data waits.")
@pass_session
def controller(session: Session, *, once: bool, stop: bool) -> None:
    """Run the pipelines of the store in the foreground.

    Nobody needs this to use pipelines: a controller is started in the background with the first of them. It
    is for servers, where something else looks after processes, and for scripts.
    """
    from jupyter_dvmount.pipelines.controller.process import run_controller, stop_controller
    from jupyter_dvmount.pipelines.jobs.database import open_database

    if stop:
        with open_database(session.config, session.store()) as database:
            stop_controller(database)
        return
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("jupyter_dvmount.pipelines").setLevel(logging.INFO)
    run_controller(session.config, session.store(), once=once)
