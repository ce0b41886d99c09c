"""The command as a whole: global options, and which verb has which nouns."""

from __future__ import annotations

import logging
from importlib import import_module

import click

from .failures import Root
from .session import Session

VERBS: dict[str, tuple[str, tuple[str, ...]]] = {
    "create": (
        "Make a repository, a branch, a pipeline, a project or a secret.",
        ("repos.create", "branches.create", "pipelines.create", "projects.create", "secrets.create"),
    ),
    "list": (
        "List repositories, branches, commits, files, mounts, pipelines, jobs, datums, projects or secrets.",
        (
            "repos.list_",
            "branches.list_",
            "commits.list_",
            "commitsets.list_",
            "files.list_",
            "mounts.list_",
            "pipelines.list_",
            "jobs.list_",
            "jobs.list_datums",
            "projects.list_",
            "secrets.list_",
        ),
    ),
    "inspect": (
        "Show one repository, branch, commit, file, pipeline, job, datum, project or secret.",
        (
            "repos.inspect",
            "branches.inspect",
            "commits.inspect",
            "commitsets.inspect",
            "files.inspect",
            "pipelines.inspect",
            "jobs.inspect",
            "jobs.inspect_datum",
            "projects.inspect",
            "secrets.inspect",
        ),
    ),
    "delete": (
        "Delete a repository, branch, file, pipeline, project or secret.",
        (
            "repos.delete",
            "branches.delete",
            "files.delete",
            "pipelines.delete",
            "projects.delete",
            "secrets.delete",
        ),
    ),
    "update": ("Change a pipeline.", ("pipelines.update",)),
    "start": ("Open a commit, or let a stopped pipeline go on.", ("commits.start", "pipelines.start")),
    "stop": ("End a job, or have a pipeline begin nothing new.", ("pipelines.stop", "jobs.stop")),
    "run": ("Have a pipeline run now, or try a spec.", ("pipelines.run", "pipelines.run_datum")),
    "rerun": ("Run a job again.", ("jobs.rerun",)),
    "finish": ("Make an open commit visible.", ("commits.finish",)),
    "drop": ("Throw an open commit away, or take a change back.", ("commits.drop", "commitsets.drop")),
    "squash": ("Remove commits from the history; their changes stay.", ("commitsets.squash",)),
    "wait": ("Wait for commits or a job to be finished.", ("commits.wait", "commitsets.wait", "jobs.wait")),
    "put": ("Put files into a branch.", ("put.put",)),
    "get": ("Copy files out of the store.", ("get.get",)),
    "copy": ("Copy files within the store.", ("files.copy",)),
    "glob": ("List files by a pattern.", ("globs.glob",)),
    "explain": ("Show what a pipeline would do.", ("pipelines.explain",)),
    "diff": ("List what changed between two commits.", ("files.diff",)),
}
PLAIN = {
    "mount": "mounts.mount",
    "unmount": "mounts.unmount",
    "logs": "logs.logs",
    "controller": "controller.controller",
    "doctor": "doctor.doctor",
    "fsck": "doctor.fsck",
    "gc": "doctor.gc",
    "usage": "doctor.usage",
    "completion": "completion.completion",
    "version": "doctor.version",
}


def _command(place: str) -> click.Command:
    """The command that a module of this package has: imported when it is used, not when another one is."""
    module, _, attribute = place.partition(".")
    found: click.Command = getattr(import_module(f".{module}", __package__), attribute)
    return found


class _Verb(click.Group):
    """What can be done with some nouns."""

    def __init__(self, name: str, help: str, places: tuple[str, ...]) -> None:
        super().__init__(name, help=help, short_help=help)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._nouns())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._nouns().get(cmd_name)

    def _nouns(self) -> dict[str, click.Command]:
        return {str(command.name): command for command in map(_command, self._places)}


class _Everything(Root):
    """Lists its commands in the order in which people need them, not in that of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*VERBS, *PLAIN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in VERBS:
            return _Verb(cmd_name, *VERBS[cmd_name])
        return _command(PLAIN[cmd_name]) if cmd_name in PLAIN else None


@click.group(
    cls=_Everything,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--store", metavar="URL", help="Where the data is, or a name from the configuration file.")
@click.option("--debug", is_flag=True, help="Show tracebacks and log what is being done.")
@click.pass_context
def cli(ctx: click.Context, store: str | None, debug: bool) -> None:
    """Versioned data as local files.

    A place in the store is written REPO@REF:/PATH. REF is a branch (default: master), the id of a commit
    or the beginning of one, and may be followed by ^ (the commit before it) or ~N (the Nth before it).

    \b
    dvmount create repo images
    dvmount put file images@master -r -f photos -m "First photographs"
    dvmount list file images@master:/photos
    dvmount mount images@master
    """
    if debug:
        logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s")
        logging.getLogger("jupyter_dvmount").setLevel(logging.DEBUG)
    ctx.obj = Session(store)
    ctx.call_on_close(ctx.obj.close)
