"""Everything that commands show: tables for people, columns for pipes, JSON for programs.

A terminal gets an aligned table with sizes and times for people. A pipe gets the same columns without
a header, separated by tabs, with exact bytes, full ids and UTC. ``-o`` chooses whatever the output is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from itertools import chain, islice
from typing import Any, Literal, TypeVar

import click
import msgspec

from jupyter_dvmount.mounting.model import Check, Mount
from jupyter_dvmount.pipelines.jobs import DatumCounts, DatumInfo, Job, JobInput, PipelineInfo, Tracked
from jupyter_dvmount.pipelines.model import DatumInput, Explained
from jupyter_dvmount.pipelines.secrets import Secret
from jupyter_dvmount.store import (
    Branch,
    Commit,
    CommitRef,
    CommitSet,
    DiffEntry,
    FileInfo,
    Problem,
    Project,
    Repo,
    RepoUsage,
    Trigger,
    Usage,
)

from .text import one_line

Output = Literal["json", "table"] | None
Record = TypeVar("Record", bound=msgspec.Struct)
BATCH = 500
"""Rows of a table laid out together, so that a listing of any length takes bounded memory."""
ID_DIGITS = 12
"""Digits of a commit id shown to people; any unique prefix names the commit."""
SIZES = {"size", "condemned_bytes", "removed_bytes", "freed"}
"""Fields of records that are bytes."""
DIFF_LETTERS = {"added": "A", "deleted": "D", "changed": "M"}

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["json", "table"]),
    envvar="DVMOUNT_OUTPUT",
    help="JSON, or the table of a terminal also in a pipe.",
)


class Column(msgspec.Struct, frozen=True):
    """A column: its title, the exact value, and how people read that value."""

    title: str
    value: Callable[[Any], Any]
    human: Callable[[Any], str] = str
    numeric: bool = False


def human_size(size: int) -> str:
    """Bytes as people read them."""
    from rich.filesize import decimal

    return decimal(size)


def human_time(moment: datetime | None) -> str:
    """A time in the user's own zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else "-"


def human_id(commit: str | None) -> str:
    """The first digits of a commit id, which name it as well."""
    return (commit or "-")[:ID_DIGITS]


def _name(file: FileInfo) -> str:
    return file.path + "/" if file.type == "dir" and file.path != "/" else file.path


def _file_size(file: FileInfo) -> int | None:
    """Directories are listed without the sum of what is in them, which would be another walk."""
    return None if file.type == "dir" and not file.size else file.size


def _human_file_size(size: int | None) -> str:
    return "-" if size is None else human_size(size)


def trigger_text(trigger: Trigger) -> str:
    """A trigger as one phrase: the branch that it watches, and its conditions."""
    conditions = [
        f"{trigger.size} bytes" if trigger.size is not None else "",
        f"{trigger.commits} commits" if trigger.commits is not None else "",
        f"cron {trigger.cron}" if trigger.cron else "",
        f"every {trigger.rate_limit:g} s" if trigger.rate_limit is not None else "",
    ]
    joined = (" and " if trigger.all else " or ").join(filter(None, conditions))
    return f"{trigger.branch}: {joined}" if joined else trigger.branch


def _progress(job: Job) -> str:
    datums = job.datums
    return f"{datums.done}/{datums.total}" if datums.total or job.started else "-"


def _took(job: Job) -> float | None:
    """Seconds that a job took, or has taken so far."""
    if job.started is None:
        return None
    return round(((job.finished or datetime.now(timezone.utc)) - job.started).total_seconds(), 1)


def _human_seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"


def _paths(datum: DatumInfo) -> str:
    return " ".join(f"{each.name}:{each.path}" for each in datum.inputs)


def mount_state(mount: Mount) -> str:
    """What a user should know about a mount, in one phrase."""
    if mount.error:
        return mount.error
    if mount.follow:
        return "follows its branch"
    return "branch has moved" if mount.moved else "ok"


COLUMNS: dict[type[msgspec.Struct], tuple[Column, ...]] = {
    Repo: (
        Column("NAME", lambda r: r.name),
        Column("SIZE", lambda r: r.size, human_size, numeric=True),
        Column("BRANCHES", lambda r: r.branches, numeric=True),
        Column("CREATED", lambda r: r.created, human_time),
        Column("DESCRIPTION", lambda r: r.description),
    ),
    Branch: (
        Column("BRANCH", lambda b: f"{b.repo}@{b.name}"),
        Column("HEAD", lambda b: b.head, human_id),
        Column("OPEN", lambda b: b.open, human_id),
        Column("SIZE", lambda b: b.size, human_size, numeric=True),
        Column("MOVED", lambda b: b.moved, human_time),
        Column("TRIGGER", lambda b: b.trigger),
    ),
    Commit: (
        Column("COMMIT", lambda c: c.id, human_id),
        Column("BRANCH", lambda c: f"{c.repo}@{c.branch}"),
        Column("STATE", lambda c: c.state),
        Column("STARTED", lambda c: c.started, human_time),
        Column("FILES", lambda c: c.files, numeric=True),
        Column("SIZE", lambda c: c.size, human_size, numeric=True),
        Column("MESSAGE", lambda c: c.message),
    ),
    CommitSet: (
        Column("ID", lambda s: s.id, human_id),
        Column("STATE", lambda s: s.state),
        Column("COMMITS", lambda s: len(s.commits), numeric=True),
        Column("STARTED", lambda s: s.started, human_time),
        Column("FINISHED", lambda s: s.finished, human_time),
        Column("ERROR", lambda s: s.error),
    ),
    RepoUsage: (
        Column("REPO", lambda u: u.repo),
        Column("COMMITS", lambda u: u.commits, numeric=True),
        Column("LOGICAL", lambda u: u.logical, human_size, numeric=True),
    ),
    Usage: (
        Column("LOGICAL", lambda u: u.logical, human_size, numeric=True),
        Column("UNIQUE", lambda u: u.unique, human_size, numeric=True),
        Column("STORED", lambda u: u.stored, human_size, numeric=True),
        Column("PACKS", lambda u: u.packs, numeric=True),
        Column("SIZE", lambda u: u.size, human_size, numeric=True),
        Column("GARBAGE", lambda u: u.garbage, human_size, numeric=True),
    ),
    Project: (
        Column("NAME", lambda p: p.name),
        Column("REPOS", lambda p: p.repos, numeric=True),
        Column("CREATED", lambda p: p.created, human_time),
        Column("DESCRIPTION", lambda p: p.description),
    ),
    FileInfo: (
        Column("PATH", _name),
        Column("TYPE", lambda f: f.type),
        Column("SIZE", _file_size, _human_file_size, numeric=True),
    ),
    DiffEntry: (
        Column("", lambda d: DIFF_LETTERS[d.change]),
        Column("", lambda d: _name(d.new or d.old)),
    ),
    Mount: (
        Column("NAME", lambda m: m.name),
        Column("PATH", lambda m: m.path),
        Column("FROM", lambda m: f"{m.repo}@{m.branch or human_id(m.commit)}"),
        Column("COMMIT", lambda m: m.commit, human_id),
        Column("MODE", lambda m: m.mode),
        Column("STATE", mount_state),
    ),
    Secret: (
        Column("NAME", lambda s: s.name),
        Column("KEYS", lambda s: " ".join(s.keys)),
        Column("CREATED", lambda s: s.created, human_time),
        Column("VERSION", lambda s: s.version),
    ),
    Check: (
        Column("", lambda c: c.status),
        Column("", lambda c: c.label),
        Column("", lambda c: c.detail),
        Column("", lambda c: f"→ {c.fix}" if c.fix else ""),
    ),
    Explained: (
        Column("PIPELINE", lambda e: e.pipeline),
        Column("ACTION", lambda e: e.action),
        Column("DATUM", lambda e: e.datum, human_id),
        Column("REASON", lambda e: e.reason),
    ),
    PipelineInfo: (
        Column("PIPELINE", lambda p: p.name),
        Column("VERSION", lambda p: p.version, numeric=True),
        Column("STATE", lambda p: p.state),
        Column("LAST JOB", lambda p: p.last_job, human_id),
        Column("", lambda p: p.last_job_state),
        Column("INPUT", lambda p: " ".join(p.input)),
        Column("UPDATED", lambda p: p.updated, human_time),
        Column("DESCRIPTION", lambda p: p.description),
    ),
    Job: (
        Column("PIPELINE", lambda j: j.pipeline),
        Column("ID", lambda j: j.id, human_id),
        Column("STATE", lambda j: j.state),
        Column("DATUMS", _progress, numeric=True),
        Column("STARTED", lambda j: j.started, human_time),
        Column("TOOK", _took, _human_seconds, numeric=True),
        Column("REASON", lambda j: j.reason),
    ),
    DatumInfo: (
        Column("DATUM", lambda d: d.id, human_id),
        Column("STATE", lambda d: d.state),
        Column("ATTEMPTS", lambda d: d.attempts, numeric=True),
        Column("TOOK", lambda d: round(d.seconds, 3), _human_seconds, numeric=True),
        Column("INPUTS", _paths),
        Column("REASON", lambda d: d.reason),
    ),
    Problem: (
        Column("PROBLEM", lambda p: p.code),
        Column("WHERE", lambda p: f"{p.repo}@{human_id(p.commit)}:{p.path}" if p.repo else ""),
        Column("WHAT", lambda p: p.message),
    ),
}


def show_list(items: Iterable[Record], kind: type[Record], output: Output) -> None:
    """Print records as they come.

    Parameters
    ----------
    items
        Any number of records of one ``kind``; an error of the first comes before any output.
    output
        ``json``, ``table``, or None for what suits where it goes.
    """
    iterator = iter(items)
    started = chain(list(islice(iterator, 1)), iterator)
    if output == "json":
        _write_json(started)
    elif _for_people(output):
        _write_table(started, COLUMNS[kind])
    else:
        _write_columns(started, COLUMNS[kind])


def show_record(item: msgspec.Struct, output: Output) -> None:
    """Print one record, a field a line or as a JSON object."""
    if output == "json":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(item), indent=2).decode() + "\n")
        return
    human = _for_people(output)
    names = item.__struct_fields__
    width = max(map(len, names)) + 2
    for name in names:
        value = _human_field(name, getattr(item, name)) if human else _exact(getattr(item, name))
        sys.stdout.write(f"{name + ':':<{width}}{one_line(value)}".rstrip() + "\n")


def _for_people(output: Output) -> bool:
    return output == "table" or sys.stdout.isatty()


def _human_field(name: str, value: Any) -> str:
    if isinstance(value, datetime):
        return human_time(value)
    return human_size(value) if name in SIZES else _exact(value)


def _exact(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Trigger):
        return trigger_text(value)
    if isinstance(value, tuple):  # of names, or of records such as a commit's provenance
        return ", ".join(map(_exact, value))
    return _inline(value) if isinstance(value, msgspec.Struct) else str(value)


def _inline(value: msgspec.Struct) -> str:
    """A record within another one, on one line."""
    if isinstance(value, CommitRef):
        return f"{value.repo}@{value.id}"
    if isinstance(value, JobInput):
        return f"{value.repo}@{value.branch}={value.commit or '?'}"
    if isinstance(value, DatumInput):
        return f"{value.name}:{value.path}"
    if isinstance(value, Tracked):
        return " ".join(filter(None, (value.provider, value.run_id, value.status, value.url)))
    if isinstance(value, DatumCounts):
        return ", ".join(
            f"{number} {name}" for name, number in msgspec.structs.asdict(value).items() if number
        )
    return msgspec.json.encode(value).decode()


def _write_json(items: Iterator[msgspec.Struct]) -> None:
    encoder = msgspec.json.Encoder()
    separator = "["
    for item in items:
        sys.stdout.write(f"{separator}\n{encoder.encode(item).decode()}")
        separator = ","
    sys.stdout.write("[]\n" if separator == "[" else "\n]\n")


def _write_columns(items: Iterator[msgspec.Struct], columns: tuple[Column, ...]) -> None:
    for item in items:
        sys.stdout.write("\t".join(one_line(_exact(column.value(item))) for column in columns) + "\n")


def _write_table(items: Iterator[msgspec.Struct], columns: tuple[Column, ...]) -> None:
    """Lay out a batch of rows at a time; columns only grow, and no value is ever cut or wrapped."""
    from rich.cells import cell_len

    widths = [len(column.title) for column in columns]
    titles = any(column.title for column in columns)
    while batch := [[_human(column, item) for column in columns] for item in islice(items, BATCH)]:
        widths = [max(w, *(cell_len(row[i]) for row in batch)) for i, w in enumerate(widths)]
        if titles:
            header = [column.title for column in columns]
            click.secho(_line(header, widths, columns), bold=True)
            titles = False
        for row in batch:
            sys.stdout.write(_line(row, widths, columns) + "\n")


def _line(cells: list[str], widths: list[int], columns: tuple[Column, ...]) -> str:
    from rich.cells import cell_len

    padded = []
    for cell, width, column in zip(cells, widths, columns, strict=True):
        space = " " * (width - cell_len(cell))
        padded.append(space + cell if column.numeric else cell + space)
    return "  ".join(padded).rstrip()


def _human(column: Column, item: msgspec.Struct) -> str:
    value = column.value(item)
    return one_line(column.human(value) if column.human is not str else _exact(value))
