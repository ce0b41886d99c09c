"""Specs and stores for the tests of pipelines."""

from __future__ import annotations

import json
from typing import Any

from jupyter_dvmount.pipelines.spec import PipelineSpec, parse
from jupyter_dvmount.store import VersionStore


def document(**fields: Any) -> dict[str, Any]:
    """A small valid spec, with these fields instead of its own."""
    return {
        "pipeline": {"name": "edges"},
        "input": pfs("images"),
        "transform": {"cmd": ["python3", "/edges.py"]},
    } | fields


def pfs(repo: str, glob: str = "/*", **fields: Any) -> dict[str, Any]:
    return {"pfs": {"repo": repo, "glob": glob, **fields}}


def spec(**fields: Any) -> PipelineSpec:
    return parse(json.dumps(document(**fields)))[0].spec


def commit(store: VersionStore, repo: str, files: dict[str, str], delete: tuple[str, ...] = ()) -> str:
    """Put files into a repository's master; the new commit's id."""
    if repo not in {each.name for each in store.list_repos()}:
        store.create_repo(repo)
    with store.modify(repo, "master") as writer:
        for path in delete:
            writer.delete(path)
        for path, text in files.items():
            writer.put(path, text.encode())
    return writer.commit.id
