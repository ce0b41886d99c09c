"""Inputs as people write them in a line: ``repo@branch:/glob``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_dvmount.store import DEFAULT_BRANCH, parse

from .model import DEFAULT_PROJECT

Places = str | Mapping[str, Any]
"""``repo@branch:/glob``; several as ``{"name": "repo@branch:/glob", …}``, whose combinations are the datums;
or an input as in a spec."""


def frame(name: str, input: Places) -> dict[str, Any]:
    """What every spec has: the pipeline, given as ``name`` or ``project/name``, and its input.

    Raises
    ------
    Invalid
        If the input cannot be read.
    """
    project, _, short = name.rpartition("/")
    pipeline = {"name": short, **({"project": project} if project else {})}
    return {"pipeline": pipeline, "input": _input_of(input)}


def _input_of(given: Places) -> dict[str, Any]:
    """An input as in a spec; one that is given so stays as it is."""
    if isinstance(given, str):
        return {"pfs": _pfs(given)}
    if not all(isinstance(each, str) for each in given.values()):
        return dict(given)
    parts = [{"pfs": {**_pfs(place), "name": name}} for name, place in given.items()]
    return parts[0] if len(parts) == 1 else {"cross": parts}


def _pfs(location: str) -> dict[str, str]:
    place = parse(location)
    project, _, repo = place.repo.rpartition("/")
    return {
        "project": project or DEFAULT_PROJECT,  # as everywhere outside of specs, not the pipeline's own
        "repo": repo,
        "branch": place.ref or DEFAULT_BRANCH,
        "glob": place.path,
    }
