"""From text to valid specs, with the warnings that belong to each."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from jupyter_dvmount.store import Invalid

from .check import check
from .documents import MAX_CHARACTERS, check_size, read_documents
from .fields import to_spec
from .model import DATUM_TRIES, Cron, Input, Pfs, Pipeline, PipelineSpec


class ParsedSpec(msgspec.Struct, frozen=True):
    """A valid spec, and a sentence on each of its fields that has no effect here."""

    spec: PipelineSpec
    warnings: tuple[str, ...] = ()


def load(path: str | PathLike[str]) -> list[ParsedSpec]:
    """The specs of a file; see `parse`. Notebooks are looked for beside it.

    Raises
    ------
    Invalid
        If the file cannot be read, or what is in it is not valid.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            text = file.read(4 * MAX_CHARACTERS).decode()
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}", fix="name a file with a spec") from error
    except UnicodeDecodeError:
        raise Invalid(f"{path} is not UTF-8", fix="name a file with a spec") from None
    parsed = parse(text, source=str(path))
    return [_beside(each, path.resolve().parent) for each in parsed] if path.is_file() else parsed


def _beside(parsed: ParsedSpec, directory: Path) -> ParsedSpec:
    notebook = parsed.spec.notebook
    if notebook is None or notebook.in_store:
        return parsed
    located = replace(notebook, path=str(directory / Path(notebook.path).expanduser()))
    return replace(parsed, spec=replace(parsed.spec, notebook=located))


def parse(text: str, *, source: str = "") -> list[ParsedSpec]:
    """The specs in a text.

    Parameters
    ----------
    text
        JSON, JSON with comments or YAML: one document or several, each a spec or a list of specs.
    source
        What errors call it, such as the name of a file.

    Raises
    ------
    Invalid
        If anything in it is not valid: nothing of a text with an error is taken.
    """
    try:
        documents = read_documents(text)
    except Invalid as error:
        raise _within(source, error) from error
    several = len(documents) > 1
    return [
        _parse_document(document, f"{source}: document {number}".removeprefix(": ") if several else source)
        for number, document in enumerate(documents, start=1)
    ]


def _parse_document(document: Any, where: str) -> ParsedSpec:
    try:
        return parse_value(document)
    except Invalid as error:
        raise _within(where, error) from error


def parse_value(value: Any) -> ParsedSpec:
    """The spec in plain values, as they come from JSON.

    Raises
    ------
    Invalid
        If it is not valid.
    """
    if not isinstance(value, dict):
        raise Invalid("a spec is an object", fix="write it with 'pipeline', 'transform' and 'input'")
    check_size(value)
    warnings: list[str] = []
    spec = _complete(to_spec(value, warnings.append))
    check(spec, warnings.append)
    return ParsedSpec(spec, tuple(warnings))


def _within(where: str, error: Invalid) -> Invalid:
    return Invalid(f"{where}: {error.message}", fix=error.fix) if where else error


def _complete(spec: PipelineSpec) -> PipelineSpec:
    """Write out the defaults that depend on other fields."""
    project = spec.pipeline.project if isinstance(spec.pipeline.project, str) else spec.pipeline.project.name
    pipeline = Pipeline(name=spec.pipeline.name, project=project)
    return replace(
        spec,
        pipeline=pipeline,
        input=_complete_input(spec.input, pipeline),
        datum_tries=spec.datum_tries or DATUM_TRIES,
    )


def _complete_input(node: Input, pipeline: Pipeline) -> Input:
    def all_of(nodes: tuple[Input, ...]) -> tuple[Input, ...]:
        return tuple(_complete_input(each, pipeline) for each in nodes)

    return Input(
        pfs=node.pfs and _complete_pfs(node.pfs, str(pipeline.project)),
        cron=node.cron and _complete_cron(node.cron, pipeline),
        cross=all_of(node.cross),
        union=all_of(node.union),
        join=all_of(node.join),
        group=all_of(node.group),
    )


def _complete_pfs(pfs: Pfs, project: str) -> Pfs:
    prefix, slash, repo = pfs.repo.partition("/")
    if slash and not pfs.project:
        pfs = replace(pfs, project=prefix, repo=repo)
    return replace(pfs, project=pfs.project or project, name=pfs.name or pfs.repo)


def _complete_cron(cron: Cron, pipeline: Pipeline) -> Cron:
    return replace(
        cron, project=cron.project or str(pipeline.project), repo=cron.repo or f"{pipeline.name}_{cron.name}"
    )
