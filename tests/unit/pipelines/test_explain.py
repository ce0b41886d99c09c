from __future__ import annotations

from jupyter_dvmount.pipelines.datums import code_of, current_heads, enumerate_datums
from jupyter_dvmount.pipelines.datums.scratch import Scratch
from jupyter_dvmount.pipelines.explain import explain, nothing_because
from tests.unit.pipelines.specs import commit, pfs, spec


class NothingEarlier:
    """A pipeline that has never run."""

    job, code = "", None

    def filter(self, keys):
        return set()

    def datums(self):
        return iter(())


class Job:
    """A job that is over: its datums, and those that succeeded in it or before."""

    def __init__(self, store, pipeline, failed=(), before=()):
        heads, self.code, self.job = current_heads(store, pipeline), code_of(pipeline), "4711"
        with Scratch() as scratch:
            self._datums = list(enumerate_datums(store, pipeline, heads, self.code, scratch))
        self.succeeded = {each.id for each in self._datums if each.inputs[0].path not in failed}.union(before)

    def filter(self, keys):
        return self.succeeded.intersection(keys)

    def datums(self):
        return iter(self._datums)


def told(store, pipeline, earlier):
    with Scratch() as scratch:
        heads = current_heads(store, pipeline)
        found = list(explain(store, pipeline, heads, code_of(pipeline), earlier=earlier, scratch=scratch))
    return [(each.action, each.reason) for each in found]


def test_everything_is_new_to_a_pipeline_that_never_ran(store):
    commit(store, "images", {"/a.png": "1", "/b.png": "2"})
    assert told(store, spec(), NothingEarlier()) == [("run", "new data /a.png"), ("run", "new data /b.png")]


def test_each_datum_says_what_changed_since_the_last_job(store):
    commit(store, "images", {"/a": "1", "/b": "2", "/c": "3", "/d": "4"})
    job = Job(store, spec(), failed=("/d",))
    commit(store, "images", {"/b": "changed", "/e": "5"}, delete=("/c",))
    assert told(store, spec(), job) == [
        ("skip", "unchanged since job 4711"),
        ("run", "changed data /b"),
        ("run", "never succeeded"),
        ("run", "new data /e"),
        ("gone", "gone: /c"),
    ]


def test_changed_code_is_named(store):
    commit(store, "images", {"/a": "1", "/b": "2"})
    job = Job(store, spec())
    commit(store, "images", {"/b": "changed"})
    changed = spec(transform={"cmd": ["python3", "/edges.py", "-v"], "env": {"A": "1"}})
    assert told(store, changed, job) == [
        ("run", "code changed: cmd, env"),
        ("run", "changed data /b; code changed: cmd, env"),
    ]


def test_code_and_data_that_come_back_are_skipped(store):
    commit(store, "images", {"/a": "1"})
    first = Job(store, spec())
    commit(store, "images", {"/a": "2"})
    second = Job(store, spec(), before=first.succeeded)
    commit(store, "images", {"/a": "1"})
    assert told(store, spec(), second) == [("skip", "succeeded in an earlier job")]


def test_moved_data_is_new_in_one_place_and_gone_in_the_other(store):
    commit(store, "images", {"/a": "1"})
    job = Job(store, spec())
    commit(store, "images", {"/b": "1"}, delete=("/a",))
    assert told(store, spec(), job) == [("run", "new data /b"), ("gone", "gone: /a")]


def test_a_group_says_which_of_its_files_changed(store):
    commit(store, "images", {f"/1-{letter}": "x" for letter in "abc"} | {"/2-a": "x"})
    grouped = spec(input={"group": [pfs("images", "/(*)-*", group_by="$1")]})
    job = Job(store, grouped)
    commit(store, "images", {f"/1-{letter}": "y" for letter in "bdef"}, delete=("/1-a",))
    assert told(store, grouped, job) == [
        ("run", "changed data /1-a, /1-b, /1-d and 2 more"),
        ("skip", "unchanged since job 4711"),
    ]


def test_a_spec_can_run_everything_in_every_job(store):
    commit(store, "images", {"/a": "1"})
    always = spec(reprocess_spec="every_job")
    assert told(store, always, Job(store, always)) == [("run", "reprocess_spec is every_job")]


def test_nothing_to_do_has_a_reason(store):
    assert nothing_because(spec(), current_heads(store, spec())) == "no commit on images@master yet"
    commit(store, "images", {"/a": "1"})
    other = spec(input=pfs("images", "/*.png"))
    assert nothing_because(other, current_heads(store, other)) == "no file matches its inputs"
