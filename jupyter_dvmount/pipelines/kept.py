"""The repositories that come with a pipeline: its output, the results of its datums, and its specs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from jupyter_dvmount.store import DEFAULT_BRANCH, AlreadyExists, NotFound, VersionStore
from jupyter_dvmount.store import Trigger as BranchTrigger
from jupyter_dvmount.units import seconds, size

from .notebooks import Frozen
from .spec import Cron, Input, Pfs, PipelineSpec

SPEC_FILE = "/spec.json"


def meta_repo(pipeline: str) -> str:
    """Repository of the results of a pipeline's datums."""
    return f"{pipeline}.meta"


def spec_repo(pipeline: str) -> str:
    """Repository of a pipeline's specs: a commit each."""
    return f"{pipeline}.spec"


def make_repos(store: VersionStore, spec: PipelineSpec) -> None:
    """Have the repositories and branches that a pipeline needs; idempotent.

    Raises
    ------
    AlreadyExists
        If there is a repository with data that no pipeline has made.
    StoreError
        If the store takes nothing now.
    """
    _check_free(store, spec)
    with suppress(AlreadyExists):
        store.create_repo(spec.name, description=spec.description)
    with suppress(AlreadyExists):
        store.create_repo(meta_repo(spec.name), type="meta", description=f"results of {spec.name}")
    with suppress(AlreadyExists):
        store.create_repo(spec_repo(spec.name), type="spec", description=f"specs of {spec.name}")
    _make_branch(store, spec.name, spec.output_branch)
    for leaf in spec.input.leaves():
        if isinstance(leaf, Cron):
            with suppress(AlreadyExists):
                store.create_repo(leaf.source, description=f"ticks of {spec.name}")
            _make_branch(store, leaf.source, DEFAULT_BRANCH)
        elif leaf.trigger is not None:
            _make_trigger(store, leaf)


def keep_spec(store: VersionStore, frozen: Frozen) -> None:
    """Commit a spec beside the others of its pipeline, and its notebook unless that is there already."""
    spec = frozen.spec
    repo = spec_repo(spec.name)
    text = msgspec.json.format(msgspec.json.encode(spec), indent=2)
    new = _absent(store, repo, frozen.files)
    with store.modify(repo, DEFAULT_BRANCH, message=spec.description) as writer:
        writer.put(SPEC_FILE, text)
        for path, content in new.items():
            writer.put(path, content)


def _absent(store: VersionStore, repo: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Those of these files that a repository does not have."""
    try:
        reader = store.read(repo, DEFAULT_BRANCH)
    except NotFound:  # it has no commit yet
        return dict(files)
    return {path: content for path, content in files.items() if reader.lookup(path) is None}


def remove_repos(store: VersionStore, spec: PipelineSpec, *, keep_output: bool) -> None:
    """Remove what `make_repos` has made, but for the ticks of clocks; idempotent."""
    repos = [meta_repo(spec.name), spec_repo(spec.name), *([] if keep_output else [spec.name])]
    for repo in repos:
        with suppress(NotFound):
            store.delete_repo(repo, force=True)


def with_triggers(spec: PipelineSpec) -> PipelineSpec:
    """A spec whose inputs with a trigger read the triggered branch; the trigger names the watched one."""
    number = 0

    def visit(node: Input) -> Input:
        nonlocal number
        if node.pfs is not None and node.pfs.trigger is not None:
            number += 1
            return msgspec.structs.replace(
                node, pfs=_triggered(node.pfs, f"{spec.pipeline.name}-trigger-{number}")
            )
        parts = {name: tuple(map(visit, getattr(node, name))) for name in ("cross", "union", "join", "group")}
        return msgspec.structs.replace(node, **parts)

    return msgspec.structs.replace(spec, input=visit(spec.input))


def _triggered(pfs: Pfs, name: str) -> Pfs:
    trigger = pfs.trigger
    assert trigger is not None
    if trigger.branch and trigger.branch != pfs.branch:
        return pfs
    return msgspec.structs.replace(
        pfs, branch=name, trigger=msgspec.structs.replace(trigger, branch=pfs.branch)
    )


def _make_trigger(store: VersionStore, pfs: Pfs) -> None:
    spec = pfs.trigger
    assert spec is not None
    trigger = BranchTrigger(
        branch=spec.branch,
        size=size(spec.size) or None,
        commits=spec.commits or None,
        cron=spec.cron_spec,
        rate_limit=seconds(spec.rate_limit_spec) or None,
        all=spec.all,
    )
    _make_branch(store, pfs.source, spec.branch)
    store.create_branch(pfs.source, pfs.branch, trigger=trigger)


def _make_branch(store: VersionStore, repo: str, branch: str) -> None:
    try:
        store.inspect_branch(repo, branch)
    except NotFound:
        with suppress(AlreadyExists):
            store.create_branch(repo, branch)


def _check_free(store: VersionStore, spec: PipelineSpec) -> None:
    """A pipeline may take over a repository that is empty or was a pipeline's output."""
    try:
        commits = store.list_commits(spec.name, limit=1)
        newest = next(iter(commits), None)
    except NotFound:
        return
    if newest is not None and newest.origin != "auto":
        raise AlreadyExists(
            f"repo {spec.name!r} has data of its own and cannot be the output of a pipeline",
            fix="give the pipeline another name",
        )


def has_commit(store: VersionStore, repo: str, id: str) -> bool:
    """Whether a repository has a commit with an id."""
    try:
        store.inspect_commit(repo, id)
    except NotFound:
        return False
    return True
