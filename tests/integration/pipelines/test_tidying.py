"""What is forgotten after jobs, and what never is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_dvmount.pipelines.controller import tidying
from jupyter_dvmount.pipelines.jobs import history, work
from jupyter_dvmount.pipelines.kept import meta_repo
from tests.integration.pipelines.lab import Lab
from tests.integration.pipelines.test_controller import UPPER, check_whole, source


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.close()


def tidy(lab: Lab) -> set[str]:
    """The commits with results that are left after the newest job."""
    with lab.database.read() as connection:
        row = history.newest(connection, "upper")
    assert row is not None
    tidying.tidy(lab.store, lab.database, row, epoch=lab.database.begin_epoch())
    return {commit.id for commit in lab.store.list_commits(meta_repo("upper"))}


def test_results_that_were_replaced_or_never_noted_are_dropped_and_all_others_are_taken_over(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.put("in", a="alpha", b="beta")
    lab.create("upper", UPPER, source("in"))
    lab.once()
    replaced = tidy(lab)
    lab.update("upper", UPPER, source("in"), reprocess=True)
    lab.once()
    with lab.store.modify(meta_repo("upper"), "batch-lost") as writer:
        writer.put("/attempt/file", b"of an agent whose controller was killed")
    lab.store.delete_branch(meta_repo("upper"), "batch-lost")
    lab.put("in", c="gamma")
    lab.once()
    with lab.store.modify(meta_repo("upper"), "batch-late") as late:
        late.put("/attempt/file", b"of an agent that perhaps another controller has started")
    lab.store.delete_branch(meta_repo("upper"), "batch-late")
    before = tidy(lab)
    assert before >= replaced | {writer.commit.id}
    monkeypatch.setattr(work, "KEPT_JOBS", 1)
    monkeypatch.setattr(tidying, "SWEEP", 1)
    assert tidy(lab) == before - replaced - {writer.commit.id}
    for _ in range(2):
        lab.store.gc()
    lab.put("in", a=None)
    lab.once()
    job = lab.newest("upper")
    assert (job.state, job.datums.skipped, job.datums.total) == ("success", 2, 2)
    assert lab.files("upper") == {"/b": "BETA", "/c": "GAMMA"}
    check_whole(lab)


def test_a_pipeline_that_always_fails_forgets_its_old_datums_too(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = []
    for number in range(3):
        jobs.append(lab.put("in", a=f"{number}"))
        if number == 0:
            lab.create("upper", "exit 1", source("in"), datum_tries=1)
        lab.once()
    monkeypatch.setattr(work, "KEPT_JOBS", 2)
    tidy(lab)
    assert [len([*lab.pipelines.datums("upper", job)]) for job in jobs] == [0, 1, 1]
