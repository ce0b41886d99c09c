"""The REST description, the handlers and the records say the same."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from openapi_spec_validator import validate

from jupyter_dvmount.mounting.model import Check, Holder, Mount, Unmounted
from jupyter_dvmount.pipelines.jobs import (
    DatumCounts,
    DatumInfo,
    DatumState,
    Job,
    JobInput,
    JobState,
    PipelineInfo,
    Tracked,
    TrackedRun,
)
from jupyter_dvmount.pipelines.messages import Output
from jupyter_dvmount.pipelines.model import DatumInput, Explained
from jupyter_dvmount.pipelines.runs.shown import ShownRun
from jupyter_dvmount.pipelines.secrets import Secret
from jupyter_dvmount.pipelines.tail import Line, LogPart
from jupyter_dvmount.server.errors import STATUS, ErrorBody
from jupyter_dvmount.server.explaining import Explanation, Sums
from jupyter_dvmount.server.handlers import PREFIX, ROUTES
from jupyter_dvmount.server.handlers.pipelines import Checked
from jupyter_dvmount.server.health import Health
from jupyter_dvmount.server.parsing import DEFAULT_LIMIT, MAX_LIMIT
from jupyter_dvmount.store import Branch, Commit, CommitRef, FileInfo, Repo, Trigger
from jupyter_dvmount.tracking import Series
from tests.integration.server.contract import METHODS, contract, operations

RECORDS = {
    **{
        record.__name__: record
        for record in (Branch, Check, Commit, CommitRef, DatumCounts, FileInfo, Health, Job, Mount, Repo)
    },
    **{record.__name__: record for record in (Series, Tracked, TrackedRun, Trigger, Unmounted)},
    "Datum": DatumInfo,
    "DatumOutput": Output,
    "Explained": Explained,
    "Explanation": Explanation,
    "LogLine": Line,
    "LogPart": LogPart,
    "Pipeline": PipelineInfo,
    "Run": ShownRun,
    "Secret": Secret,
    "SpecCheck": Checked,
    "Sums": Sums,
}


def test_the_description_is_valid_openapi() -> None:
    validate(contract())


def test_the_handlers_have_what_is_described_and_nothing_else() -> None:
    described = {(route, method) for route, method, _ in operations()}
    handled = {
        (route.removeprefix(PREFIX), verb.upper())
        for route, handler in ROUTES
        for verb in METHODS
        if verb in vars(handler)
    }
    assert handled == described


@pytest.mark.parametrize(("name", "record"), RECORDS.items(), ids=RECORDS)
def test_a_record_has_the_described_fields_and_nothing_else(name: str, record: type[msgspec.Struct]) -> None:
    assert list(record.__struct_fields__) == list(_schema(name)["properties"])


@pytest.mark.parametrize(
    ("name", "field", "record"),
    [("Unmounted", "holders", Holder), ("Job", "input", JobInput), ("Datum", "inputs", DatumInput)],
)
def test_records_within_others_have_the_described_fields(
    name: str, field: str, record: type[msgspec.Struct]
) -> None:
    items = _schema(name)["properties"][field]["items"]
    assert list(record.__struct_fields__) == list(items["properties"])


def test_errors_have_the_described_fields() -> None:
    assert list(ErrorBody.__struct_fields__) == list(_schema("Error")["properties"])


def test_the_states_are_the_described_ones() -> None:
    assert _schema("JobState")["enum"] == list(get_args(JobState))
    assert _schema("DatumState")["enum"] == list(get_args(DatumState))
    assert _schema("Pipeline")["properties"]["last_job_state"]["enum"] == [*get_args(JobState), ""]


def test_every_code_is_described() -> None:
    assert {*STATUS, "internal"} == set(_schema("Error")["properties"]["code"]["enum"])


def test_the_limits_of_a_page_are_the_described_ones() -> None:
    limit = contract()["components"]["parameters"]["limit"]["schema"]
    assert (limit["default"], limit["minimum"], limit["maximum"]) == (DEFAULT_LIMIT, 1, MAX_LIMIT)


def _schema(name: str) -> dict[str, Any]:
    return contract()["components"]["schemas"][name]
