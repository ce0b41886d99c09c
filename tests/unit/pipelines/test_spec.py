from __future__ import annotations

import contextlib
import json
import textwrap
from datetime import datetime, timezone

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dvmount.pipelines.spec import ParsedSpec, load, parse, parse_value
from jupyter_dvmount.pipelines.spec import schema as published
from jupyter_dvmount.pipelines.spec.cron import next_tick, start_time
from jupyter_dvmount.store import Invalid
from jupyter_dvmount.units import cores, seconds, size
from tests.unit.pipelines.specs import document, pfs, spec

FULL = {
    "pipeline": {"name": "train", "project": {"name": "vision"}},
    "description": "Train a model",
    "transform": {
        "image": "python:3.11",
        "cmd": ["sh"],
        "stdin": ["python train.py", "echo done"],
        "env": {"EPOCHS": "3", "someCamelCase": "kept"},
        "secrets": [
            {"name": "wandb", "key": "api_key", "env_var": "WANDB_API_KEY"},
            {"name": "certificates", "mount_path": "/etc/certificates"},
        ],
        "err_cmd": ["true"],
        "err_stdin": ["x"],
        "accept_return_code": [3, 4],
        "working_dir": "/work",
        "user": "nobody",
        "image_required": True,
    },
    "input": {
        "cross": [
            {"union": [pfs("a", name="left"), pfs("b", "/", name="left", branch="dev")]},
            {
                "join": [
                    pfs("scans", "/(*)-(*).png", join_on="$1", outer_join=True, lazy=True),
                    pfs("labels", "/(*).txt", join_on="$1", empty_files=True),
                ]
            },
            {"group": [pfs("visits", "/(*)/*", group_by="$1")]},
            {
                "cron": {
                    "name": "tick",
                    "spec": "@every 1h",
                    "start": "2026-01-31T09:00:00Z",
                    "overwrite": True,
                }
            },
            pfs("weights", "/**/*.bin", trigger={"branch": "dev", "size": "100M", "commits": 3, "all": True}),
        ]
    },
    "parallelism_spec": {"constant": 4},
    "datum_set_spec": {"number": 100},
    "datum_timeout": "10m",
    "job_timeout": "1h30m",
    "datum_tries": 2,
    "resource_requests": {"cpu": 0.5, "memory": "512Mi", "disk": "1G"},
    "resource_limits": {"cpu": "2", "memory": "1Gi", "gpu": {"type": "nvidia.com/gpu", "number": 1}},
    "reprocess_spec": "every_job",
    "output_branch": "results",
    "autoscaling": True,
    "salt": "2",
    "metadata": {"annotations": {"someKey": "v"}, "labels": {"team": "x"}},
    "egress": {"URL": "s3://bucket/prefix"},
    "tracking": {"project": "p", "entity": "e", "run_per": "datum", "tags": ["a"]},
}

BOMB = "a: &a [0, 0, 0, 0]\n" + "".join(
    f"{this}: &{this} [{', '.join(['*' + last] * 10)}]\n"
    for last, this in zip("abcdefg", "bcdefgh", strict=True)
)
"""Four hundred million zeros, to whom follows the aliases."""


def camel(value: object) -> object:
    """The document in the other spelling."""
    if isinstance(value, dict):
        maps = {"env", "annotations", "labels"}
        return {
            "".join(part if i == 0 else part.title() for i, part in enumerate(key.split("_"))): (
                each if key in maps else camel(each)
            )
            for key, each in value.items()
        }
    return [camel(each) for each in value] if isinstance(value, list) else value


def refused(**fields: object) -> Invalid:
    with pytest.raises(Invalid) as caught:
        parse_value(document(**fields))
    return caught.value


def test_every_field_is_taken_and_survives_a_round_trip():
    (parsed,) = parse(json.dumps(FULL))
    assert parsed.warnings == ()
    assert parsed.spec.name == "vision/train"
    assert parse(msgspec.json.encode(parsed.spec).decode())[0] == parsed


def test_both_spellings_mean_the_same():
    assert parse(json.dumps(camel(FULL))) == parse(json.dumps(FULL))
    assert camel(FULL)["datumTries"] == 2


def test_the_published_schema_is_up_to_date_and_accepts_what_the_parser_accepts():
    assert published.FILE.read_text() == published.text()
    jsonschema.Draft202012Validator.check_schema(published.schema())
    jsonschema.validate(FULL, published.schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document(salted=1), published.schema())


def test_defaults_are_those_of_pachyderm():
    small = spec()
    leaf = small.input.pfs
    assert (small.name, small.output_branch, small.datum_tries, small.reprocess_spec) == (
        "edges",
        "master",
        3,
        "until_success",
    )
    assert (leaf.name, leaf.branch, leaf.source, leaf.lazy) == ("images", "master", "images", False)
    assert small.datum_timeout_seconds == small.job_timeout_seconds == 0
    assert spec(datum_tries=0).datum_tries == 3


def test_repositories_are_of_the_pipelines_project_unless_they_say_so():
    def source(**fields):
        pipeline = {"name": "edges", "project": "vision"}
        return spec(pipeline=pipeline, input=pfs("images", **fields)).input.pfs.source

    assert source() == "vision/images"
    assert source(project="default") == "images"
    assert source(project="other") == "other/images"
    assert spec(input=pfs("other/images")).input.pfs.source == "other/images"
    cron = {"cron": {"name": "tick", "spec": "@daily"}}
    assert spec(input=cron, pipeline={"name": "p", "project": "vision"}).input.cron.source == "vision/p_tick"


@pytest.mark.parametrize(
    "text",
    [
        '// first\n{"pipeline": {name: "a"}, input: %s, /* here */ transform: {cmd: ["x"],},}\n%s',
        "[%.0s%s, %s]",
    ],
)
def test_json_may_have_comments_and_several_documents(text):
    one = json.dumps(document())
    found = parse(text % ((json.dumps(pfs("r")), one) if text.startswith("/") else (one, one, one)))
    assert len(found) == 2
    assert found[1].spec == spec()


def test_yaml_may_have_several_documents():
    found = parse(
        textwrap.dedent("""
        # two pipelines
        pipeline: {name: a}
        input: &images {pfs: {repo: images, glob: "/*"}}
        transform: {cmd: [python3, /a.py]}
        ---
        - pipeline: {name: b}
          input: {pfs: {repo: images, glob: "/*"}}
          transform: {cmd: [python3, /b.py], stdin: ["no"]}
        ---
        """)
    )
    assert [each.spec.name for each in found] == ["a", "b"]


def test_a_time_in_yaml_need_not_be_quoted():
    (found,) = parse(
        """
pipeline: {name: a}
input: {cron: {name: tick, spec: "@daily", start: 2026-01-31T09:00:00Z}}
transform: {cmd: [x]}
"""
    )
    assert found.spec.input.cron.start == "2026-01-31T09:00:00Z"


def test_numbers_from_protocol_buffers_are_read():
    assert spec(datumTries="5", datumTimeout="90s").datum_timeout_seconds == 90


def test_an_unknown_field_is_refused_with_its_path_and_the_nearest_name():
    error = refused(input=pfs("images", globb="/*"))
    assert error.message == "unknown field input.pfs.globb"
    assert error.fix == "did you mean 'glob'?"
    assert refused(datumTriess=1).fix == "did you mean 'datumTries'?"
    deep = refused(input={"cross": [pfs("a"), {"join": [pfs("b", qqq=1)]}]})
    assert deep.message == "unknown field input.cross[1].join[0].pfs.qqq"
    assert "join_on" in deep.fix


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"transform": {"cmd": ["x", 1]}}, "transform.cmd[1]: expected str, got int"),
        ({"transform": {"cmd": "x"}}, "transform.cmd: expected array, got str"),
        ({"datum_tries": -1}, "datum_tries: expected int >= 0"),
        ({"pipeline": "edges"}, "pipeline: expected object, got str"),
        ({"pipeline": {}}, "pipeline.name is missing"),
        ({"pipeline": {"name": "a b"}}, "pipeline.name: illegal repo name 'a b'"),
        ({"input": None}, "input is missing"),
        ({"input": {}}, "input is empty"),
        ({"input": {"pfs": {"glob": "/"}}}, "input.pfs.repo is missing"),
        ({"input": {"pfs": {"repo": "images"}}}, "input.pfs.glob: the glob is empty"),
        ({"input": pfs("images", "/[")}, "input.pfs.glob: bad glob '/['"),
        ({"input": pfs("edges")}, "input.pfs.repo: edges is the pipeline's own output"),
        ({"input": pfs("out")}, "input.pfs.name: an input cannot be called 'out'"),
        ({"input": pfs("PATH")}, "input.pfs.name: an input cannot be called 'PATH'"),
        ({"input": pfs("images") | {"cross": [pfs("a")]}}, "input has both pfs and cross"),
        ({"input": {"cross": [pfs("a"), pfs("a")]}}, "input.cross: two inputs are called 'a'"),
        ({"input": {"join": [pfs("a")]}}, "input.join[0].pfs.join_on: missing in a join"),
        ({"input": {"group": [pfs("a")]}}, "input.group[0].pfs.group_by: missing in a group"),
        (
            {"input": {"join": [pfs("a", "/(*)", join_on="$2")]}},
            "input.join[0].pfs.join_on: bad template '$2'",
        ),
        ({"input": {"join": [{"cross": [pfs("a")]}]}}, "input.join[0].cross: a join combines files only"),
        (
            {"input": {"cron": {"name": "t", "spec": "61 * * * *"}}},
            "input.cron.spec: illegal cron expression",
        ),
        (
            {"input": {"cron": {"name": "t", "spec": "@daily", "start": "1 May"}}},
            "input.cron.start: illegal time",
        ),
        (
            {"input": pfs("a", trigger={"rate_limit_spec": "often"})},
            "input.pfs.trigger: illegal cron expression",
        ),
        ({"input": pfs("a", trigger={"size": "big"})}, "input.pfs.trigger: illegal quantity 'big'"),
        ({"transform": {}}, "transform.cmd is missing"),
        ({"notebook": {"path": "a.ipynb"}}, "there is both a notebook and a transform.cmd"),
        ({"transform": {"cmd": ["x"], "err_stdin": ["y"]}}, "transform.err_stdin is there without err_cmd"),
        ({"transform": {"cmd": ["x"], "secrets": [{"name": "s"}]}}, "transform.secrets[0]: it is neither"),
        (
            {"transform": {"cmd": ["x"], "secrets": [{"name": "s", "env_var": "A"}]}},
            "transform.secrets[0]: env_var",
        ),
        (
            {"transform": {"cmd": ["x"], "secrets": [{"name": "s", "mount_path": "/pfs/x"}]}},
            "transform.secrets[0]: illegal mount_path",
        ),
        ({"transform": {"cmd": ["x"], "env": {"A=B": "1"}}}, "transform.env: illegal name 'A=B'"),
        (
            {"transform": {"cmd": ["x"], "accept_return_code": [256]}},
            "transform.accept_return_code[0]: expected",
        ),
        ({"datum_timeout": "1 hour"}, "datum_timeout: illegal duration '1 hour'"),
        ({"datum_timeout": 60}, "datum_timeout: expected str, got int"),
        ({"datum_set_spec": {"number": 1, "per_worker": 1}}, "datum_set_spec: per_worker excludes"),
        ({"resource_limits": {"memory": "12x"}}, "resource_limits.memory: illegal quantity '12x'"),
        (
            {"resource_requests": {"memory": "2G"}, "resource_limits": {"memory": "1G"}},
            "resource_requests.memory is above resource_limits.memory",
        ),
        ({"egress": {"URL": "gs://bucket"}}, "egress: cannot export to 'gs://bucket'"),
        ({"output_branch": "a b"}, "output_branch: illegal branch name"),
        ({"reprocess_spec": "never"}, "reprocess_spec: invalid enum value 'never'"),
        ({"tracking": {"provider": "mlflow"}}, "tracking.provider: no experiment tracker 'mlflow'"),
        ({"datum_tries": 1, "datumTries": 2}, "datumTries is there in both spellings"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line_with_its_path(fields, message):
    error = refused(**fields)
    assert error.message.startswith(message)
    assert error.fix
    assert "\n" not in error.message


def test_inputs_of_a_union_may_share_a_name_but_not_with_what_is_crossed_with_it():
    union = {"union": [pfs("a", name="x"), pfs("b", name="x")]}
    spec(input=union)
    assert "two inputs are called 'x'" in refused(input={"cross": [union, pfs("x")]}).message


def test_what_only_a_cluster_has_is_accepted_with_a_warning_each():
    (found,) = parse(
        json.dumps(
            document(
                podPatch="[]",
                scheduling_spec={"nodeSelector": {"a": "b"}},
                tolerations=[],
                s3_out=False,
                service={"internal_port": 1},
                transform={"cmd": ["true"], "datum_batching": True},
                input=pfs("images", s3=True, join_on="x"),
            )
        )
    )
    assert {each.partition(" has no effect")[0] for each in found.warnings} == {
        "podPatch",
        "scheduling_spec",
        "service",
        "transform.datum_batching",
        "input.pfs.s3",
        "input.pfs.join_on",
    }
    assert len(found.warnings) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no spec in it"),
        ("hello", "a spec is an object"),
        ('{"a"', "not JSON: line 1"),
        ('{"a": 1, "a": 2}', "not JSON: Duplicate key"),
        ("a: 1\na: 2", "not YAML: line 2, column 1: 'a' is there twice"),
        ("a: [", "not YAML: line 1"),
        ("\0", "not YAML: "),
        ("!!python/object:os.system x", "not YAML: line 1, column 1: could not determine"),
        ("[" * 100_000, "the spec is nested too deeply"),
        ("a: &a [*a]", "the spec is nested too deeply"),
        ("x" * (2 << 20), "2097152 characters are too many"),
        (BOMB, "the spec is nested too deeply or too large"),
    ],
    ids=range(12),
)
def test_text_that_is_no_spec_is_refused_in_one_line(text, message):
    with pytest.raises(Invalid) as caught:
        parse(text, source="p.yaml")
    assert caught.value.message.startswith(f"p.yaml: {message}")
    assert "\n" not in caught.value.message


def test_an_error_names_the_document_among_several(tmp_path):
    file = tmp_path / "both.json"
    file.write_text(json.dumps(document()) + json.dumps(document(salts="x")))
    with pytest.raises(Invalid, match=r"both\.json: document 2: unknown field salts"):
        load(file)
    with pytest.raises(Invalid, match="No such file"):
        load(tmp_path / "missing.json")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["pipeline", "input", "pfs", "cross", "name", "repo", "glob", "transform", "cmd", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_no_value_does_worse_than_be_refused(value):
    with contextlib.suppress(Invalid):
        assert isinstance(parse_value(value), ParsedSpec)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1h30m", 5400),
        ("90s", 90),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("2m0.5s", 120.5),
        ("10µs", 1e-5),
        ("", 0),
    ],
)
def test_durations_are_read_as_go_reads_them(text, expected):
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["1", "h", "-1s", "1h 30m", "1d", "1h30", "٣s", "1" * 100 + "s"])
def test_other_durations_are_refused(text):
    with pytest.raises(Invalid, match="illegal duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("512Mi", 512 << 20),
        ("1.5G", 1_500_000_000),
        ("1MB", 1_000_000),
        ("2MiB", 2 << 20),
        ("2k", 2000),
        ("100", 100),
        (7, 7),
        ("1e3", 1000),
        ("1500m", 2),
    ],
)
def test_quantities_are_read_as_kubernetes_reads_them(text, expected):
    assert size(text) == expected


def test_cores_may_be_fractions():
    assert [cores(each) for each in ("100m", 0.5, "2", "")] == [0.1, 0.5, 2.0, 0.0]


def test_cron_expressions_tick_when_they_say():
    noon = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
    assert next_tick("30 13 * * *", noon) == noon.replace(hour=13, minute=30)
    assert next_tick("@daily", noon) == datetime(2026, 2, 1, tzinfo=timezone.utc)
    assert next_tick("@every 1h30m", noon) == noon.replace(hour=13, minute=30)
    assert next_tick("@never", noon) is None
    assert next_tick("0 0 30 2 *", noon) is None
    for text in ("", "* * * *", "@reboot", "x y z a b", "* * * * * *", "@every 0s", "@every soon"):
        with pytest.raises(Invalid):
            next_tick(text, noon)


def test_times_need_a_zone():
    assert start_time("2026-01-31T12:00:00Z") == datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
    assert start_time("") is None
    with pytest.raises(Invalid):
        start_time("2026-01-31T12:00:00")
