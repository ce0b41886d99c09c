"""``%load_ext jupyter_dvmount``: the command as ``%dvmount``, a cell as a pipeline with ``%%pipeline``."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from shlex import split
from symtable import SymbolTable, symtable
from typing import TYPE_CHECKING, Any

import click

from .notebook import open_pipelines, open_store
from .store import Invalid, StoreError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .pipelines.service import Pipelines
    from .pipelines.spec import PipelineSpec, Places

_SHOWN = 20
"""Datums that ``--explain`` lists; more are counted."""


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Add the magics to a kernel."""

    def pipeline(line: str, cell: str) -> None:
        """Have a cell run as a pipeline; ``%%pipeline --help`` shows its options."""
        from IPython.core.error import UsageError

        try:
            _check_alone(cell, ipython.user_ns)
            _pipeline.main(split(line), prog_name="%%pipeline", standalone_mode=False, obj=cell)
        except click.ClickException as error:
            raise UsageError(error.format_message()) from None
        except StoreError as error:
            raise UsageError(error.line) from None
        except ValueError as error:  # a quotation mark without its other
            raise UsageError(str(error)) from None

    ipython.register_magic_function(_dvmount, "line", "dvmount")  # type: ignore[arg-type]  # decorated there
    ipython.register_magic_function(pipeline, "cell", "pipeline")  # type: ignore[arg-type]


def _dvmount(line: str) -> None:
    """Run the command ``dvmount`` with these arguments and show what it prints."""
    try:
        arguments = split(line)
    except ValueError as error:
        sys.stdout.write(f"error: {error}\n")
        return
    environment = {"DVMOUNT_OUTPUT": "table", "PYTHONUNBUFFERED": "1", **os.environ}
    with subprocess.Popen(
        [sys.executable, "-m", "jupyter_dvmount.cli", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for text in process.stdout:
            sys.stdout.write(text)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name")
@click.option(
    "-i",
    "--input",
    "inputs",
    metavar="[NAME=]REPO[@BRANCH]:/GLOB",
    multiple=True,
    required=True,
    help="The data; of several every combination is a datum, and each needs a name.",
)
@click.option("--image", default="", help="Container image whose python3 runs the cell.")
@click.option("--set", "settings", metavar="FIELD=VALUE", multiple=True, help="Any other field of a spec.")
@click.option("--reprocess", is_flag=True, help="Run every datum again, changed or not.")
@click.option("--explain", is_flag=True, help="Change nothing; say of each datum whether it would run.")
@click.option(
    "--try",
    "datum",
    is_flag=False,
    flag_value="",
    metavar="[ID|/PATH]",
    help="Change nothing; run on one datum, the first without a value, and put its output here.",
)
@click.pass_obj
def _pipeline(
    code: str,
    name: str,
    inputs: tuple[str, ...],
    image: str,
    settings: tuple[str, ...],
    *,
    reprocess: bool,
    explain: bool,
    datum: str | None,
) -> None:
    """Make the pipeline NAME whose code is this cell, or change it to that.

    \b
    %%pipeline edges --input images:/*.png
    %%pipeline edges -i images@master:/* --set datum_tries=1 --set transform.env.LEVEL=3
    %%pipeline pairs -i left=images:/* -i right=masks:/* --explain
    """
    from .pipelines.publishing import cell_spec

    parsed = cell_spec(name, code, input=_places(inputs), image=image, fields=_fields(settings))
    for warning in parsed.warnings:
        click.echo(f"warning: {warning}")
    with open_pipelines() as pipelines:
        if explain:
            _explain(pipelines, parsed.spec)
            return
        if datum is not None:
            _try(pipelines, parsed.spec, datum)
            return
        pipelines.update([parsed.spec], reprocess=reprocess)
        made = pipelines.inspect(parsed.spec.name)
    job = f", job {made.name}@{made.last_job[:12]} is {made.last_job_state}" if made.last_job else ""
    click.echo(f"pipeline {made.name}, version {made.version}{job}")


def _try(pipelines: Pipelines, spec: PipelineSpec, datum: str) -> None:
    trial = pipelines.try_datum(spec, datum, to=None, tell=click.echo)
    click.echo(f"{trial.outcome.state}: {trial.files} files in {trial.directory}")
    if trial.outcome.state != "success":
        raise Invalid(trial.outcome.reason)


def _explain(pipelines: Pipelines, spec: PipelineSpec) -> None:
    from .pipelines.datums import current_heads
    from .pipelines.explain import nothing_because

    with open_store() as store:
        heads = current_heads(store, spec)
    actions: Counter[str] = Counter()
    for each in pipelines.explain(spec, heads):
        actions[each.action] += 1
        if actions.total() <= _SHOWN:
            click.echo(f"{each.action}  {', '.join(each.inputs)}  {each.reason}")
    if actions.total() > _SHOWN:
        click.echo("…")
    sums = ", ".join(f"{number} {action}" for action, number in sorted(actions.items()))
    click.echo(f"{spec.name}: {sums or f'nothing to do: {nothing_because(spec, heads)}'}")


def _places(inputs: tuple[str, ...]) -> Places:
    """The inputs, by name where they have one."""
    found = [each.partition("=") if "=" in each.partition(":")[0] else ("", "", each) for each in inputs]
    if len(found) == 1 and not found[0][0]:
        return found[0][2]
    named = {name: place for name, _, place in found if name}
    if len(named) < len(found):
        raise Invalid("several inputs need names, each its own", fix="write --input NAME=REPO:/GLOB")
    return named


def _fields(settings: tuple[str, ...]) -> dict[str, Any]:
    """Fields of a spec from ``a.b=value``, the values in YAML."""
    import yaml

    fields: dict[str, Any] = {}
    for each in settings:
        path, equals, text = each.partition("=")
        if not equals:
            raise Invalid(f"--set {each} has no value", fix="write --set FIELD=VALUE")
        *above, last = path.split(".")
        part = fields
        for name in above:
            part = part.setdefault(name, {})
            if not isinstance(part, dict):
                raise Invalid(f"--set {path} is within a value that --set gives, too", fix="keep one of them")
        try:
            part[last] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise Invalid(f"the value of --set {path} is no YAML", fix="put it in quotes") from None
    return fields


def _check_alone(cell: str, others: Mapping[str, Any]) -> None:
    """Refuse a cell that uses what other cells have defined: a pipeline's cell runs without them."""
    try:
        tables = list(_tables(symtable(cell, "<cell>", "exec")))
    except (SyntaxError, ValueError):
        return  # it is told with its line later
    named = [each for table in tables for each in table.get_symbols()]
    own = {each.get_name() for each in tables[0].get_symbols() if each.is_assigned() or each.is_imported()}
    own |= {each.get_name() for each in named if each.is_declared_global() and each.is_assigned()}
    used = {each.get_name() for each in named if each.is_global()}
    missing = sorted(used & others.keys() - own - vars(builtins).keys() - {"__name__", "__builtins__"})
    if missing and "import *" not in cell:
        raise Invalid(
            f"the cell uses {', '.join(map(repr, missing))} of the notebook, and as a pipeline it runs alone",
            fix="import or define it in this cell",
        )


def _tables(table: SymbolTable) -> Iterator[SymbolTable]:
    yield table
    for each in table.get_children():
        yield from _tables(each)
