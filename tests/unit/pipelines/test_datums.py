from __future__ import annotations

import sqlite3
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_dvmount.pipelines.datums import (
    branches,
    code_of,
    current_heads,
    enumerate_datums,
    in_sets,
    select,
    set_size,
)
from jupyter_dvmount.pipelines.datums import scratch as scratch_module
from jupyter_dvmount.pipelines.datums.scratch import Scratch
from jupyter_dvmount.pipelines.spec import DatumSetSpec, PipelineSpec
from jupyter_dvmount.store import Invalid, NotFound, Unavailable, VersionStore, open_store
from tests.unit.pipelines.specs import commit, pfs, spec


def datums(store: VersionStore, pipeline: PipelineSpec, **code):
    with Scratch() as scratch:
        heads = current_heads(store, pipeline)
        return list(enumerate_datums(store, pipeline, heads, code_of(pipeline, **code), scratch))


def seen(store: VersionStore, pipeline: PipelineSpec) -> list[tuple[str, ...]]:
    """What each datum sees, as name:path."""
    return [tuple(f"{each.name}:{each.path}" for each in datum.inputs) for datum in datums(store, pipeline)]


def ids(store: VersionStore, pipeline: PipelineSpec, **code) -> list[str]:
    return [datum.id for datum in datums(store, pipeline, **code)]


# what a datum is


def test_the_glob_says_what_a_datum_is(store):
    commit(store, "images", {"/a.png": "1", "/b.png": "2", "/d/c.png": "3", "/d/d.txt": "4"})

    def paths(glob):
        return [datum.inputs[0].path for datum in datums(store, spec(input=pfs("images", glob)))]

    assert paths("/") == ["/"]
    assert paths("/*") == ["/a.png", "/b.png", "/d"]
    assert paths("/*/*") == ["/d/c.png", "/d/d.txt"]
    assert sorted(paths("/**/*.png")) == ["/a.png", "/b.png", "/d/c.png"]
    assert paths("/*.jpg") == []


def test_a_datum_says_where_its_data_is_and_how_to_show_it(store):
    head = commit(store, "images", {"/d/a": "12345", "/d/b": "123"})
    (datum,) = datums(store, spec(input=pfs("images", "/*", name="in", lazy=True, empty_files=True)))
    (found,) = datum.inputs
    assert (found.name, found.repo, found.branch, found.commit) == ("in", "images", "master", head)
    assert (found.path, found.type, found.size) == ("/d", "dir", 8)
    assert found.lazy
    assert found.empty_files
    assert len(datum.id) == len(found.hash) == 64
    assert datum.size == 8


def test_a_branch_without_a_commit_has_no_datums_and_a_missing_repo_is_named(store):
    assert datums(store, spec()) == []
    cron = spec(input={"cron": {"name": "tick", "spec": "@daily"}})
    assert datums(store, cron) == []
    with pytest.raises(NotFound, match="edges: no repo 'absent'"):
        datums(store, spec(input=pfs("absent")))
    assert current_heads(store, spec(input=pfs("absent")), expected={"absent"}) == {}


def test_each_tick_of_a_cron_input_is_a_datum(store):
    commit(store, "edges_tick", {"/2026-01-31T09:00:00Z": "", "/2026-01-31T10:00:00Z": ""})
    assert seen(store, spec(input={"cron": {"name": "tick", "spec": "@hourly"}})) == [
        ("tick:/2026-01-31T09:00:00Z",),
        ("tick:/2026-01-31T10:00:00Z",),
    ]


# keys


def test_equal_data_and_code_have_equal_ids_whatever_the_commit(store):
    commit(store, "images", {"/a": "1", "/d/x": "2"})
    before = ids(store, spec())
    commit(store, "images", {"/a": "1", "/e": "3"})
    after = ids(store, spec())
    assert after[:2] == before
    assert len(after) == 3


def test_changed_moved_and_renamed_data_have_other_ids(store):
    commit(store, "images", {"/a": "1", "/d/x": "2", "/d/y": "3"})
    a, d = ids(store, spec())
    commit(store, "images", {"/a": "changed", "/d/y": "changed"})
    assert not {a, d} & set(ids(store, spec()))
    commit(store, "images", {"/a": "1", "/d/y": "3"})
    assert ids(store, spec()) == [a, d]
    commit(store, "images", {"/b": "1", "/e/x": "2", "/e/y": "3"}, delete=("/a", "/d"))
    assert not {a, d} & set(ids(store, spec()))
    assert not set(ids(store, spec())) & set(ids(store, spec(input=pfs("images", name="in"))))


CODE = {"cmd": ["python3", "/edges.py"]}


@pytest.mark.parametrize(
    "fields",
    [
        {"transform": {"cmd": ["python3", "/edges.py", "-v"]}},
        {"transform": {"cmd": ["python3 /edges.py"]}},
        {"transform": CODE | {"stdin": ["x"]}},
        {"transform": CODE | {"image": "python:3.11"}},
        {"transform": CODE | {"env": {"A": "1"}}},
        {"transform": CODE | {"env": {"A": "2"}}},
        {"transform": CODE | {"secrets": [{"name": "s", "mount_path": "/s"}]}},
        {"transform": CODE | {"err_cmd": ["true"]}},
        {"transform": CODE | {"accept_return_code": [3]}},
        {"transform": CODE | {"working_dir": "/work"}},
        {"transform": CODE | {"user": "nobody"}},
        {"transform": {}, "notebook": {"path": "a.ipynb"}},
        {"transform": {}, "notebook": {"path": "a.ipynb", "parameters": {"x": 1}}},
        {"transform": {}, "notebook": {"path": "a.ipynb", "kernel": "julia"}},
        {"salt": "2"},
        {"input": pfs("images", empty_files=True)},
    ],
    ids=str,
)
def test_changed_code_has_other_ids(store, fields):
    commit(store, "images", {"/a": "1"})
    assert ids(store, spec(**fields)) != ids(store, spec())


def test_the_digest_of_the_image_the_versions_of_secrets_and_the_notebook_count(store):
    commit(store, "images", {"/a": "1"})
    transform = CODE | {"image": "x", "secrets": [{"name": "s", "mount_path": "/s"}]}
    pipeline = spec(transform=transform)
    assert ids(store, pipeline, image_digest="sha256:1") != ids(store, pipeline, image_digest="sha256:2")
    assert ids(store, pipeline, secret_versions={"s": "1"}) != ids(
        store, pipeline, secret_versions={"s": "2"}
    )
    one, other, two = (
        ids(store, spec(transform={}, notebook={"path": f"{name}.spec@master:/notebooks/{digit * 64}.ipynb"}))
        for name, digit in (("p", "1"), ("other", "1"), ("p", "2"))
    )
    assert one == other, "which pipeline keeps it does not matter"
    assert one != two


@pytest.mark.parametrize(
    "fields",
    [
        {"parallelism_spec": {"constant": 8}},
        {"resource_limits": {"memory": "1G"}},
        {"datum_timeout": "1h"},
        {"datum_tries": 1},
        {"datum_set_spec": {"number": 10}},
        {"description": "x"},
        {"tracking": {"project": "p"}},
        {"pipeline": {"name": "other"}},
        {"transform": CODE | {"image_required": True, "accept_return_code": [0]}},
        {"input": pfs("images", lazy=True, join_on="x", group_by="y")},
    ],
    ids=str,
)
def test_what_changes_no_result_changes_no_id(store, fields):
    commit(store, "images", {"/a": "1"})
    assert ids(store, spec(**fields)) == ids(store, spec())


def test_the_order_of_inputs_and_variables_in_the_spec_does_not_matter(store):
    commit(store, "images", {"/a": "1"})
    commit(store, "labels", {"/a": "2"})
    one, two = pfs("images"), pfs("labels")
    assert ids(store, spec(input={"cross": [one, two]})) == ids(store, spec(input={"cross": [two, one]}))
    assert ids(store, spec(transform=CODE | {"env": {"A": "1", "B": "2"}})) == ids(
        store, spec(transform=CODE | {"env": {"B": "2", "A": "1"}})
    )


def test_ids_stay_the_same_between_versions_of_this_program(store):
    commit(store, "images", {"/a": "1", "/d/x": "2"})
    assert ids(store, spec()) == [
        "e4d6d7be741063b9387daea345fcecd8dbc2febaada73c82c84a6b2d524167dd",
        "00ceb8899e0be74d5294b0b28fe7e8297bffeccda7fdbd0a361fbb2ef6734722",
    ]


# combinations


@pytest.fixture
def two(store):
    commit(store, "scans", {"/1-a.png": "", "/1-b.png": "", "/2-a.png": "", "/3-a.png": ""})
    commit(store, "labels", {"/1.txt": "", "/2.txt": "", "/4.txt": ""})
    return store


def joined(**outer):
    return {
        "join": [
            pfs("scans", "/(*)-*.png", join_on="$1", outer_join=outer.get("scans", False)),
            pfs("labels", "/(*).txt", join_on="$1", outer_join=outer.get("labels", False)),
        ]
    }


INNER = [
    ("labels:/1.txt", "scans:/1-a.png"),
    ("labels:/1.txt", "scans:/1-b.png"),
    ("labels:/2.txt", "scans:/2-a.png"),
]


def test_cross_gives_every_combination(two):
    found = seen(two, spec(input={"cross": [pfs("scans"), pfs("labels")]}))
    assert len(found) == len(set(found)) == 12


def test_a_cross_with_nothing_is_nothing(two):
    two.create_repo("empty")
    assert seen(two, spec(input={"cross": [pfs("scans"), pfs("empty")]})) == []
    assert seen(two, spec(input={"cross": [pfs("empty"), pfs("scans")]})) == []


def test_union_gives_each_and_equal_ones_once(two):
    twice = {"union": [pfs("scans"), pfs("labels", name="scans"), pfs("scans", "/1*")]}
    found = seen(two, spec(input=twice))
    assert len(found) == len(set(found)) == 7


def test_join_gives_what_matches(two):
    assert seen(two, spec(input=joined())) == INNER


def test_an_outer_join_also_gives_what_matches_nothing(two):
    assert seen(two, spec(input=joined(scans=True))) == [*INNER, ("scans:/3-a.png",)]
    assert seen(two, spec(input=joined(labels=True))) == [*INNER, ("labels:/4.txt",)]
    both = seen(two, spec(input=joined(scans=True, labels=True)))
    assert both == [*INNER, ("scans:/3-a.png",), ("labels:/4.txt",)]


def test_a_datum_of_a_join_knows_what_joined_it(two):
    found = datums(two, spec(input=joined()))
    assert [each.join_on for each in found[0].inputs] == ["1", "1"]


def test_group_gives_a_datum_for_each_value(two):
    grouped = {"group": [pfs("scans", "/*-(*).png", group_by="$1"), pfs("labels", "/(*).txt", group_by="$1")]}
    assert seen(two, spec(input=grouped)) == [
        ("labels:/1.txt",),
        ("labels:/2.txt",),
        ("labels:/4.txt",),
        ("scans:/1-a.png", "scans:/2-a.png", "scans:/3-a.png"),
        ("scans:/1-b.png",),
    ]
    assert [each.inputs[0].group_by for each in datums(two, spec(input=grouped))] == ["1", "2", "4", "a", "b"]


def test_a_join_in_a_group_chooses_what_is_grouped(two):
    inner = {
        "join": [
            pfs("scans", "/(*)-(*).png", join_on="$1", group_by="$2"),
            pfs("labels", "/(*).txt", join_on="$1", group_by="a"),
        ]
    }
    assert seen(two, spec(input={"group": [inner]})) == [
        ("labels:/1.txt", "labels:/2.txt", "scans:/1-a.png", "scans:/2-a.png"),
        ("scans:/1-b.png",),
    ]


def test_a_group_with_two_files_for_one_path_is_refused(store):
    commit(store, "a", {"/x": "1"})
    commit(store, "b", {"/x": "2"})
    union = {"union": [pfs("a", name="in", group_by="g"), pfs("b", name="in", group_by="g")]}
    with pytest.raises(Invalid, match="a and b both have /x for input in"):
        seen(store, spec(input={"group": [union]}))


def test_combinations_can_be_nested(two):
    nested = {"cross": [{"union": [pfs("scans", "/1*"), joined()]}, pfs("labels", "/", name="all")]}
    found = seen(two, spec(input=nested))
    assert len(found) == 5
    assert found[0] == ("all:/", "scans:/1-a.png")
    assert branches(spec(input=nested)) == [("scans", "master"), ("labels", "master")]


NAMES = st.lists(st.sampled_from(["1", "2", "3"]), max_size=4)


@settings(deadline=None, max_examples=40)
@given(
    sides=st.lists(st.tuples(NAMES, st.booleans()), min_size=1, max_size=3), few=st.sampled_from([1, 2, 1000])
)
def test_cross_and_join_equal_a_naive_model_whatever_is_on_disk(tmp_path_factory, sides, few):
    files = [[f"/{value}-{number}" for number, value in enumerate(values)] for values, _ in sides]
    nodes = [
        pfs(f"r{index}", "/(*)-*", join_on="$1", outer_join=outer) for index, (_, outer) in enumerate(sides)
    ]
    crossed = [
        tuple(sorted(each))
        for each in product(*([f"r{i}:{path}" for path in paths] for i, paths in enumerate(files)))
    ]
    matched = []
    for value in ("1", "2", "3"):
        mine = [[f"r{i}:{path}" for path in paths if path[1] == value] for i, paths in enumerate(files)]
        if not all(mine):
            mine = [paths for paths, (_, outer) in zip(mine, sides, strict=True) if outer and paths]
        if mine:
            matched += [tuple(each) for each in product(*mine)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scratch_module, "IN_MEMORY", few)
        with open_store((tmp_path_factory.mktemp("s") / "store").as_uri()) as store:
            for index, paths in enumerate(files):
                if paths:
                    commit(store, f"r{index}", dict.fromkeys(paths, ""))
                else:
                    store.create_repo(f"r{index}")
            assert sorted(seen(store, spec(input={"cross": nodes}))) == sorted(crossed)
            assert sorted(seen(store, spec(input={"join": nodes}))) == sorted(matched)


def test_a_full_disk_is_told_in_one_line():
    with Scratch() as scratch:
        table = scratch.table("a")
        scratch._connection.execute("PRAGMA max_page_count = 4")
        with pytest.raises(Unavailable, match="full"):
            scratch.insert(table, ((b"x" * 10_000,) for _ in range(10)))
    with pytest.raises(sqlite3.ProgrammingError):
        scratch._connection.execute("SELECT 1")


# what need not run


class Succeeded:
    def __init__(self, keys):
        self.keys, self.asked = set(keys), []

    def filter(self, keys):
        self.asked.append(len(keys))
        return self.keys.intersection(keys)


def test_what_succeeded_before_is_known_a_batch_at_a_time(store):
    commit(store, "images", {f"/{number}": "" for number in range(2100)})
    everything = datums(store, spec())
    known = Succeeded(each.id for each in everything[:1500])
    chosen = list(select(everything, known))
    assert [each.datum for each in chosen] == everything
    assert [each.known for each in chosen] == [True] * 1500 + [False] * 600
    assert known.asked == [1000, 1000, 100]


def test_datums_are_handed_out_in_sets(store):
    commit(store, "images", {f"/{number}": "x" * number for number in range(1, 8)})
    everything = datums(store, spec())

    def lengths(**limits):
        return [len(each) for each in in_sets(everything, **limits)]

    assert lengths(number=3) == [3, 3, 1]
    assert lengths(number=100, size_bytes=6) == [3, 2, 1, 1]
    assert set_size(DatumSetSpec(), total=10, workers=2, default=50) == 50
    assert set_size(DatumSetSpec(number=7), total=10, workers=2, default=50) == 7
    assert set_size(DatumSetSpec(per_worker=2), total=10, workers=2, default=50) == 3
    assert set_size(DatumSetSpec(per_worker=2), total=0, workers=2, default=50) == 1
