"""A notebook when it is published: its copy, which is the pipeline's code from then on."""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import msgspec
from blake3 import blake3
from msgspec.structs import replace

from jupyter_dvmount.pipelines.spec import Notebook, PipelineSpec
from jupyter_dvmount.store import DEFAULT_BRANCH, Invalid, NotFound, VersionStore, parse

MOST_READ = 256 << 20
MOST_BYTES = 16 << 20
"""Of a notebook with its outputs, and without them: that is sent to every datum."""
_TAG = "parameters"


class Frozen(msgspec.Struct, frozen=True):
    """A spec whose notebook cannot change any more.

    Parameters
    ----------
    spec
        With the path of the copy.
    files
        What has to be beside the spec, by path: the copy, and what is installed where it was published.
    """

    spec: PipelineSpec
    files: Mapping[str, bytes] = {}


def freeze(store: VersionStore, spec: PipelineSpec, repo: str) -> Frozen:
    """Fix the notebook of a spec, if it has one. Writes nothing.

    The copy has no outputs and only the metadata that decides on what it does, so that a notebook that has
    merely been run again is the same.

    Parameters
    ----------
    repo
        Repository that will have the copy.

    Raises
    ------
    Invalid
        If it is no notebook, names no kernel, or does not know a parameter that it is given.
    NotFound
        If it is not there.
    """
    notebook = spec.notebook
    if notebook is None:
        return Frozen(spec)
    canonical = _canonical(_read(store, notebook), notebook.path)
    _check(canonical, notebook)
    content = _encode(canonical, notebook.path)
    base = f"/notebooks/{blake3(content).hexdigest()}"
    lines = notebook.requirements or _installed()
    fixed = replace(notebook, path=f"{repo}@{DEFAULT_BRANCH}:{base}.ipynb")
    files = {f"{base}.ipynb": content, f"{base}.txt": "".join(f"{line}\n" for line in lines).encode()}
    return Frozen(replace(spec, notebook=fixed), files)


def _read(store: VersionStore, notebook: Notebook) -> bytes:
    path = notebook.path
    if notebook.in_store:
        place = parse(path)
        with store.read(place.repo, place.ref).open(place.path) as file:
            return file.read(MOST_READ)
    try:
        with Path(path).expanduser().open("rb") as file:
            return file.read(MOST_READ)
    except FileNotFoundError:
        fix = "name a file, or repo@ref:/path; a file is looked for beside its spec"
        raise NotFound(f"notebook.path: there is no {path}", fix=fix) from None
    except OSError as error:
        raise Invalid(f"notebook.path: cannot read {path}: {error.strerror}", fix="name a notebook") from None


def _canonical(text: bytes, path: str) -> dict[str, Any]:
    """A notebook without its outputs, and with the metadata only that decides on what it does."""
    import nbformat

    try:
        found = json.loads(text)
        converted = nbformat.convert(nbformat.from_dict(found), 4)
        canonical = {
            "cells": [_cell(each) for each in converted["cells"]],
            "metadata": _metadata(converted["metadata"]),
            "nbformat": 4,
            "nbformat_minor": 4,  # the last one without random ids of cells
        }
        nbformat.validate(nbformat.from_dict(canonical))
    except (ValueError, KeyError, TypeError, AttributeError, nbformat.ValidationError) as error:
        fix = "name a Jupyter notebook"
        raise Invalid(f"notebook.path: {path} is not a notebook", fix=fix) from error
    return canonical


def _metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    kernel, language = metadata.get("kernelspec", {}), metadata.get("language_info", {})
    spec = {"display_name": kernel.get("name"), **kernel}  # nbformat wants one
    return {
        **({"kernelspec": spec} if kernel.get("name") else {}),
        "language_info": {"name": language.get("name") or kernel.get("language") or "python"},
    }


def _cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    tags = cell["metadata"].get("tags")
    kept: dict[str, Any] = {
        "cell_type": cell["cell_type"],
        "metadata": {"tags": tags} if tags else {},
        "source": "".join(cell["source"]).splitlines(keepends=True),
    }
    if cell["cell_type"] == "code":
        return {**kept, "execution_count": None, "outputs": []}
    return {**kept, "attachments": cell["attachments"]} if "attachments" in cell else kept


def _check(content: Mapping[str, Any], notebook: Notebook) -> None:
    """See that it has code and a kernel, and knows its parameters."""
    path = notebook.path
    if not any(each["cell_type"] == "code" and each["source"] for each in content["cells"]):
        raise Invalid(f"notebook.path: {path} has no code", fix="name another notebook")
    if not (notebook.kernel or "kernelspec" in content["metadata"]):
        raise Invalid(f"{path} names no kernel", fix="choose one in JupyterLab, or set notebook.kernel")
    if not notebook.parameters:
        return
    cell = next((each for each in content["cells"] if _TAG in each["metadata"].get("tags", ())), None)
    if cell is None:
        fix = f"give the cell that sets them the tag {_TAG!r}"
        raise Invalid(f"notebook.parameters: no cell of {path} has the tag {_TAG!r}", fix=fix)
    known = _assigned("".join(cell["source"]))
    for name in notebook.parameters:
        if known and name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise Invalid(
                f"notebook.parameters: {path} has no parameter {name!r}",
                fix=f"did you mean {near[0]!r}?" if near else f"it has {', '.join(sorted(known))}",
            )


def _encode(canonical: Mapping[str, Any], path: str) -> bytes:
    try:
        content = json.dumps(canonical, ensure_ascii=False, sort_keys=True, indent=1).encode()
    except UnicodeEncodeError:
        raise Invalid(f"notebook.path: {path} has half a character", fix="take it out") from None
    if len(content) > MOST_BYTES:
        fix = "move what is so large in it to a file of an input"
        raise Invalid(f"{path} has {len(content)} bytes without its outputs", fix=fix)
    return content


def _assigned(code: str) -> set[str]:
    """The names that a cell of Python sets; none if it is in another language."""
    try:
        nodes = ast.walk(ast.parse(code))
    except SyntaxError:
        return set()
    return {each.id for each in nodes if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}


def _installed() -> list[str]:
    """What is installed for this Python, as pip writes it."""
    found = {each.name.lower(): f"{each.name}=={each.version}" for each in distributions() if each.name}
    return [found[name] for name in sorted(found)]
