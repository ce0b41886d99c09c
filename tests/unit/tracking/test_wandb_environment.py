"""Ids and environments of runs."""

from __future__ import annotations

import pytest

from jupyter_dvmount.store import Invalid
from jupyter_dvmount.tracking import Account, Run, Settings, TrackedJob, tracker

ID = "0123456789abcdef" * 2
WANDB = tracker("wandb")
JOB = TrackedJob(
    id=ID,
    pipeline="train",
    inputs=(f"dvm://images@{ID}/",),
    output=f"dvm://train@{ID}/",
    branches=("images@master",),
    page="http://localhost:8888/lab?job=1",
)


def job(**values: object) -> TrackedJob:
    return TrackedJob(id=ID, pipeline=str(values.pop("pipeline", "train")), **values)


def test_the_run_has_the_id_of_the_job() -> None:
    assert WANDB.run_id(JOB, Settings(project="p")) == ID


@pytest.mark.parametrize(
    ("values", "shared", "expected"),
    [
        ({}, True, f"{ID}-train"),
        ({"attempt": 3}, False, f"{ID}-a3"),
        ({"attempt": 2}, True, f"{ID}-train-a2"),
        ({"datum": "f" * 64}, False, f"{ID}-ffffffffffff"),
    ],
)
def test_what_tells_runs_of_one_id_apart_is_added(values: dict, shared: bool, expected: str) -> None:
    assert WANDB.run_id(job(**values), Settings(project="p", shared=shared)) == expected


def test_ids_stay_legal_and_different_whatever_the_names() -> None:
    names = ["Train", "train", "x" * 200, "x" * 199 + "y", "a.b", "a_b", "ünï"]
    settings = Settings(project="p", shared=True)
    ids = [WANDB.run_id(job(pipeline=name, attempt=12, datum="d" * 64), settings) for name in names]
    assert len(set(ids)) == len(names)
    assert all(len(each) <= 64 and set(each) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for each in ids)


def test_the_environment_leads_to_the_run_and_has_no_key() -> None:
    settings = Settings(project="pets", entity="team", base_url="http://127.0.0.1:1", tags=("good",))
    found = WANDB.environment(JOB, settings, "/scratch/wandb", has_key=True)
    assert found["WANDB_RUN_ID"] == found["WANDB_RUN_GROUP"] == ID
    assert found["WANDB_RESUME"] == "allow"
    assert (found["WANDB_PROJECT"], found["WANDB_ENTITY"], found["WANDB_MODE"]) == ("pets", "team", "online")
    assert found["WANDB_TAGS"] == "images@master,train,good"
    assert JOB.inputs[0] in found["WANDB_NOTES"]
    assert JOB.page in found["WANDB_NOTES"]
    assert found["WANDB_DIR"] == "/scratch/wandb"
    assert "WANDB_API_KEY" not in found
    assert not {"WANDB_CONFIG_PATHS", "WANDB_SWEEP_ID"} & set(found)


def test_without_a_key_everything_stays_local() -> None:
    found = WANDB.environment(JOB, Settings(project="p"), "/w", has_key=False)
    assert found["WANDB_MODE"] == "offline"
    assert "WANDB_ENTITY" not in found


def test_a_link_is_made_of_what_really_ran_and_never_guessed() -> None:
    settings = Settings(project="p q")
    account = Account(entity="me", app_url="https://app.example.org")
    assert WANDB.url(account, ID, settings) == f"https://app.example.org/me/p%20q/runs/{ID}"
    ran = Run(run_id="own/id", project="other", entity="team")
    assert WANDB.url(account, ran, settings) == "https://app.example.org/team/other/runs/own%2Fid"
    assert WANDB.url(Account(app_url="https://app.example.org"), ID, settings) is None


def test_an_unknown_tracker_is_refused_with_those_there_are() -> None:
    with pytest.raises(Invalid, match="no experiment tracker 'mlflow'") as caught:
        tracker("mlflow")
    assert "wandb" in caught.value.fix
