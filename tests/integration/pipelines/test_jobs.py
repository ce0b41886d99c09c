"""What jobs promise, from commit to output, with a real controller and real agents."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterator

import pytest

from jupyter_dvmount.pipelines.jobs import work
from jupyter_dvmount.pipelines.kept import meta_repo, spec_repo
from jupyter_dvmount.store import AlreadyExists, CommitRef, Conflict, Invalid, NotFound
from tests.integration.pipelines.lab import Lab
from tests.integration.pipelines.sandboxes import running

UPPER = "tr a-z A-Z < $data > $PFS_OUT/$(basename $data)"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    lab.start()
    yield lab
    lab.close()


@pytest.fixture
def lab(shared: Lab) -> Iterator[Lab]:
    """The controller of all tests here; what a test has made is deleted behind it."""
    before = {each.name for each in shared.pipelines.all()}
    yield shared
    for each in [*shared.pipelines.all()]:
        if each.name not in before:
            shared.pipelines.delete(each.name, force=True)


@pytest.fixture
def name() -> str:
    """A name that no other test has."""
    return f"p{next(_numbers)}"


def source(repo: str, glob: str = "/*") -> dict[str, object]:
    return {"pfs": {"repo": repo, "glob": glob, "name": "data"}}


# from commit to output


def test_a_commit_becomes_an_output_commit_with_the_same_id_and_provenance(lab: Lab, name: str) -> None:
    first = lab.put(f"{name}-in", a="alpha", b="beta")
    lab.create(name, UPPER, source(f"{name}-in"))
    job = lab.wait(name)
    assert (job.state, job.id, job.reason) == ("success", first, "")
    assert (job.datums.total, job.datums.success) == (2, 2)
    assert (job.executor, job.tier) == ("local", "plain")
    assert job.output_commit == CommitRef(name, first)
    assert lab.files(name) == {"/a": "ALPHA", "/b": "BETA"}
    commit = lab.store.inspect_commit(name, "master")
    assert (commit.id, commit.origin) == (first, "auto")
    assert commit.provenance == (CommitRef(f"{name}-in", first),)
    second = lab.put(f"{name}-in", c="gamma")
    lab.until(lambda: lab.newest(name).id == second)
    assert lab.wait(name).state == "success"
    assert lab.files(name) == {"/a": "ALPHA", "/b": "BETA", "/c": "GAMMA"}
    assert lab.files(name, first) == {"/a": "ALPHA", "/b": "BETA"}


def test_only_what_is_new_or_changed_runs_and_what_is_gone_takes_its_results_with_it(
    lab: Lab, name: str
) -> None:
    lab.put(f"{name}-in", a="alpha", b="beta", c="gamma")
    lab.create(name, UPPER, source(f"{name}-in"))
    lab.wait(name)
    changed = lab.put(f"{name}-in", a=None, b="BETTER", d="delta")
    job = lab.wait(name, changed)
    assert (job.datums.total, job.datums.success, job.datums.skipped) == (3, 2, 1)
    assert lab.files(name) == {"/b": "BETTER", "/c": "GAMMA", "/d": "DELTA"}
    nothing = lab.put(f"{name}-in", b=None, c=None, d=None)
    job = lab.wait(name, nothing)
    assert (job.state, job.datums.total) == ("success", 0)
    assert job.reason == "nothing to do: no file matches its inputs"
    assert lab.files(name) == {}
    again = lab.put(f"{name}-in", a="alpha")
    job = lab.wait(name, again)
    assert (job.datums.success, job.datums.skipped) == (0, 1)
    assert lab.files(name) == {"/a": "ALPHA"}


def test_changed_code_runs_again_and_going_back_costs_nothing(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha")
    lab.create(name, UPPER, source(f"{name}-in"))
    lab.wait(name)
    lab.update(name, "echo x > $PFS_OUT/x", source(f"{name}-in"))
    job = lab.wait(name)
    assert (job.version, job.datums.success) == (2, 1)
    assert lab.files(name) == {"/x": "x\n"}
    lab.update(name, UPPER, source(f"{name}-in"))
    job = lab.wait(name)
    assert (job.version, job.datums.skipped) == (3, 1)
    assert lab.files(name) == {"/a": "ALPHA"}
    kept = [json.loads(lab.files(spec_repo(name), each.id)["/spec.json"]) for each in
            lab.store.list_commits(spec_repo(name))]  # fmt: skip
    assert [each["transform"]["stdin"][0] for each in kept] == [UPPER, "echo x > $PFS_OUT/x", UPPER]


def test_reprocessing_runs_everything_again(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha")
    script = "date +%N > $PFS_OUT/now"
    lab.create(name, script, source(f"{name}-in"))
    lab.wait(name)
    before = lab.files(name)
    lab.update(name, script, source(f"{name}-in"))
    assert len([*lab.pipelines.jobs(name)]) == 1  # nothing has changed
    lab.update(name, script, source(f"{name}-in"), reprocess=True)
    assert lab.wait(name).datums.success == 1
    assert lab.files(name) != before


def test_every_job_runs_every_datum_if_the_spec_says_so(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha")
    lab.create(name, "date +%N > $PFS_OUT/now", source(f"{name}-in"), reprocess_spec="every_job")
    lab.wait(name)
    before = lab.files(name)
    commit = lab.put(f"{name}-in", b="beta")
    with pytest.raises(AssertionError):
        lab.wait(name, "0" * 32, seconds=0.1)
    job = lab.wait(name, commit)
    assert job.state == "failure"  # two datums write one path
    lab.put(f"{name}-in", b=None)
    job = lab.wait(name)
    lab.until(lambda: lab.newest(name).id != commit)
    assert lab.wait(name).datums.success == 1
    assert lab.files(name) != before


def test_a_change_flows_through_all_pipelines_downstream_under_one_id(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha")
    lab.create(name, UPPER, source(f"{name}-in"))
    lab.create(f"{name}-left", "sed s/^/left/ $data/* > $PFS_OUT/l", source(name, "/"))
    lab.create(f"{name}-right", "cat $data/* $data/* > $PFS_OUT/r", source(name, "/"))
    both = {
        "cross": [
            {"pfs": {"repo": f"{name}-{side}", "glob": "/", "name": side}} for side in ("left", "right")
        ]
    }
    lab.create(f"{name}-end", "cat $left/* $right/* > $PFS_OUT/end", both)
    lab.wait(f"{name}-end")
    assert lab.files(f"{name}-end") == {"/end": "leftALPHAALPHAALPHA"}
    commit = lab.put(f"{name}-in", a="beta")
    lab.wait(f"{name}-end", commit)
    assert lab.files(f"{name}-end", commit) == {"/end": "leftBETABETABETA"}
    found = {job.pipeline: job.state for job in lab.pipelines.jobs(id=commit)}
    assert found == dict.fromkeys((name, f"{name}-left", f"{name}-right", f"{name}-end"), "success")
    assert {each.repo for each in lab.store.inspect_commit_set(commit).commits} == {*found, f"{name}-in"}


def test_every_commit_has_its_own_job_however_fast_they_come(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="0")
    lab.create(name, UPPER, source(f"{name}-in"))
    commits = [lab.put(f"{name}-in", a=f"value {number}") for number in range(5)]
    for number, commit in enumerate(commits):
        assert lab.wait(name, commit).state == "success"
        assert lab.files(name, commit) == {"/a": f"VALUE {number}"}
    history = [each.id for each in lab.store.list_commits(name, branch="master")]
    assert history[:5] == commits[::-1]


def test_the_first_commits_of_an_empty_repository_have_a_job_each(lab: Lab, name: str) -> None:
    lab.store.create_repo(f"{name}-in")
    lab.create(name, UPPER, source(f"{name}-in"))
    commits = [lab.put(f"{name}-in", a=text) for text in ("alpha", "beta", "gamma")]
    assert [lab.wait(name, each).state for each in commits] == ["success"] * 3


def test_a_triggered_branch_gathers_commits(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha")
    pfs = {"repo": f"{name}-in", "glob": "/*", "name": "data", "trigger": {"commits": 2}}
    lab.create(name, UPPER, {"pfs": pfs})
    commits = [lab.put(f"{name}-in", a=f"{number}") for number in range(6)]
    moves = {each.commit for each in lab.store.changes(0) if each.branch == f"{name}-trigger-1"} & {*commits}
    assert len(moves) in {2, 3}
    for commit in moves:
        assert lab.wait(name, commit).state == "success"
    jobs = [*lab.pipelines.jobs(name)]
    assert {job.id for job in jobs} == moves
    assert {each.branch for job in jobs for each in job.input} == {f"{name}-trigger-1"}


def test_a_clock_ticks(lab: Lab, name: str) -> None:
    cron = {"cron": {"name": "clock", "spec": "@every 1s", "overwrite": True}}
    lab.create(name, "ls $PFS/clock > $PFS_OUT/tick", cron)
    lab.until(lambda: len([*lab.pipelines.jobs(name)]) >= 2)
    jobs = [lab.wait(name, job.id) for job in [*lab.pipelines.jobs(name)][-2:]]
    assert [job.state for job in jobs] == ["success", "success"]
    ticks = [lab.files(name, job.id)["/tick"] for job in jobs]
    assert ticks[0] > ticks[1] > "2026"


def test_a_clock_that_never_ticks_ticks_by_hand(lab: Lab, name: str) -> None:
    lab.create(name, "ls $PFS/clock > $PFS_OUT/tick", {"cron": {"name": "clock", "spec": "@never"}})
    id = lab.pipelines.run(name)
    assert lab.wait(name, id).datums.success == 1
    assert len([*lab.pipelines.jobs(name)]) == 1


def test_output_goes_to_a_directory_too(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a__b="alpha")
    target = lab.root / f"out {name}"
    script = "mkdir $PFS_OUT/d; cat $data/b > $PFS_OUT/d/b"
    lab.create(name, script, source(f"{name}-in"), egress={"URL": str(target)})
    job = lab.wait(name)
    assert (job.state, job.reason) == ("success", "")
    assert (target / "d" / "b").read_text() == "alpha"
    assert [each.name for each in (target / "d").iterdir()] == ["b"]


def test_output_that_cannot_be_exported_fails_the_job_and_stays(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha")
    (lab.root / f"file{name}").write_text("")
    lab.create(name, UPPER, source(f"{name}-in"), egress={"URL": str(lab.root / f"file{name}" / "x")})
    job = lab.wait(name)
    assert job.state == "failure"
    assert job.reason.startswith("egress: ")
    assert lab.files(name) == {"/a": "ALPHA"}


def test_old_jobs_forget_their_datums_and_going_back_to_their_output_is_still_right(
    lab: Lab, name: str
) -> None:
    first = lab.put(f"{name}-in", a="0", old="old")
    lab.create(name, UPPER, source(f"{name}-in"))
    lab.wait(name)
    commits = [lab.put(f"{name}-in", a="1", old=None)]
    commits += [lab.put(f"{name}-in", a=str(number)) for number in range(2, work.KEPT_JOBS + 2)]
    for commit in commits:
        lab.wait(name, commit)
    lab.until(lambda: [*lab.pipelines.datums(name, first)] == [])
    assert [each.state for each in lab.pipelines.datums(name, commits[-1])] == ["success"]
    lab.store.create_branch(name, "master", head=first)
    job = lab.wait(name, lab.put(f"{name}-in", a="0"))
    assert job.datums.skipped == 1
    assert lab.files(name) == {"/a": "0"}


# failures


def test_a_datum_is_tried_again_and_then_fails_its_job_and_those_downstream(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", bad="x", good="y")
    script = f"echo trying; test $(basename $data) = good || exit 3; {UPPER}"
    lab.create(name, script, source(f"{name}-in"), datum_tries=2)
    lab.create(f"{name}-next", UPPER, source(name))
    job = lab.wait(name)
    assert (job.state, job.datums.failed, job.datums.success) == ("failure", 1, 1)
    bad = next(each for each in lab.pipelines.datums(name, job.id) if each.state == "failed")
    assert (bad.attempts, bad.failure, bad.exit_code) == (2, "user", 3)
    assert job.reason == f"1 of 2 datums failed: {bad.id[:12]}: {bad.reason}"
    below = lab.wait(f"{name}-next")
    assert below.state == "unrunnable"
    assert below.reason == f"{name}@{job.id[:12]} upstream ended as failure: {job.reason}"
    commit = lab.store.inspect_commit(name, job.id)
    assert (commit.state, commit.error) == ("finished", job.reason)
    assert lab.store.inspect_branch(name, "master").head is None
    lines = lab.pipelines.log_lines(name, job.id, failed=True)
    assert [(each.datum, each.attempt, each.text) for each in lines if not each.engine] == [
        (bad.id, 1, "trying"),
        (bad.id, 2, "trying"),
    ]


def test_rerunning_what_failed_takes_over_the_rest(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", bad="x", good="y")
    flag = lab.root / f"flag-{name}"
    script = f"test $(basename $data) = good || test -e '{flag}' || exit 1; {UPPER}"
    lab.create(name, script, source(f"{name}-in"), datum_tries=1)
    failed = lab.wait(name)
    assert failed.state == "failure"
    flag.touch()
    job = lab.wait(name, lab.pipelines.rerun_job(name, failed.id, failed=True))
    assert (job.state, job.datums.success, job.datums.skipped) == ("success", 1, 1)
    assert job.input == failed.input
    again = lab.wait(name, lab.pipelines.rerun_job(name, failed.id))
    assert (again.datums.success, again.datums.skipped) == (2, 0)
    assert lab.files(name) == {"/bad": "X", "/good": "Y"}


def test_a_failure_that_is_recovered_lets_the_job_go_on(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha", b="beta")
    script = f"test $(basename $data) = b || exit 1; {UPPER}"
    lab.create(name, script, source(f"{name}-in"), transform={"err_cmd": ["true"]})
    job = lab.wait(name)
    assert (job.state, job.datums.recovered, job.datums.success) == ("success", 1, 1)
    assert lab.files(name) == {"/b": "BETA"}


def test_a_datum_that_takes_too_long_fails_with_that_reason(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha")
    lab.create(name, "sleep 60", source(f"{name}-in"), datum_timeout="300ms", datum_tries=1)
    job = lab.wait(name)
    (datum,) = lab.pipelines.datums(name, job.id)
    assert (job.state, datum.failure) == ("failure", "timeout")


def test_a_job_that_takes_too_long_is_killed(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha")
    lab.create(name, "sleep 60", source(f"{name}-in"), job_timeout="500ms")
    job = lab.wait(name)
    assert (job.state, job.reason) == ("killed", "it took longer than its job_timeout of 500ms")


def test_two_datums_that_write_one_path_fail_the_job_and_are_named(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha", b="beta")
    lab.create(name, "echo x > $PFS_OUT/same", source(f"{name}-in"))
    job = lab.wait(name)
    ids = {each.id[:12]: each.inputs[0].path for each in lab.pipelines.datums(name, job.id)}
    assert job.state == "failure"
    assert "both write /same" in job.reason
    assert all(f"{id} (data:{path})" in job.reason for id, path in ids.items())


def test_a_new_datum_that_writes_the_path_of_an_old_one_fails_the_job_and_both_are_named(
    lab: Lab, name: str
) -> None:
    lab.put(f"{name}-in", a="one")
    lab.create(name, "mkdir -p $PFS_OUT/$(cat $data); cp $data $PFS_OUT/$(cat $data)/x", source(f"{name}-in"))
    lab.wait(name)
    job = lab.wait(name, lab.put(f"{name}-in", b="one"))
    assert job.state == "failure"
    assert "both write /one/x" in job.reason
    assert "data:/a" in job.reason
    assert "data:/b" in job.reason
    moved = lab.wait(name, lab.put(f"{name}-in", a=None))
    assert moved.state == "success"
    assert lab.files(name) == {"/one/x": "one"}


def test_a_missing_secret_makes_the_job_unrunnable_with_its_name(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha")
    secrets = [{"name": f"secret-{name}", "key": "k", "env_var": "K"}]
    lab.create(name, UPPER, source(f"{name}-in"), transform={"secrets": secrets})
    job = lab.wait(name)
    assert job.state == "unrunnable"
    assert job.reason.startswith(f"no secret 'secret-{name}'; dvmount create secret secret-{name} ")


# what people do


def test_a_job_is_stopped_within_a_second_and_leaves_nothing_running(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha")
    marker = f"611.{os.getpid()}{next(_numbers)}"
    lab.create(name, f"sleep {marker} & sleep {marker}", source(f"{name}-in"))
    lab.until(lambda: len(running(marker)) == 2)
    job = lab.newest(name)
    begin = time.monotonic()
    lab.pipelines.stop_job(name, job.id)
    assert lab.wait(name).state == "killed"
    took = time.monotonic() - begin
    assert running(marker) == []
    assert took < 5  # the measured number is in the benchmarks
    assert lab.newest(name).reason == "stopped by hand"
    with pytest.raises(Conflict, match="over already"):
        lab.pipelines.stop_job(name, job.id)


def test_a_stopped_pipeline_waits_and_then_has_a_job_for_each_commit(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha")
    lab.create(name, UPPER, source(f"{name}-in"))
    lab.wait(name)
    lab.pipelines.pause(name, paused=True)
    commits = [lab.put(f"{name}-in", a=text) for text in ("beta", "gamma")]
    lab.until(lambda: lab.newest(name).id == commits[-1])
    time.sleep(0.3)
    assert {lab.pipelines.job(name, each).state for each in commits} == {"created"}
    assert lab.pipelines.inspect(name).state == "paused"
    lab.pipelines.pause(name, paused=False)
    assert [lab.wait(name, each).state for each in commits] == ["success", "success"]


def test_a_pipeline_runs_by_hand_on_an_older_commit(lab: Lab, name: str) -> None:
    first = lab.put(f"{name}-in", a="alpha")
    second = lab.put(f"{name}-in", a="beta")
    lab.create(name, UPPER, source(f"{name}-in"))
    assert lab.wait(name).id == second
    id = lab.pipelines.run(name, {f"{name}-in": first})
    assert lab.wait(name, id).state == "success"
    assert id not in {first, second}
    assert lab.files(name) == {"/a": "ALPHA"}


def test_deleting_a_pipeline_ends_what_it_runs_and_removes_what_it_made(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha")
    marker = f"612.{os.getpid()}{next(_numbers)}"
    lab.create(name, f"sleep {marker}", source(f"{name}-in"))
    lab.create(f"{name}-next", UPPER, source(name))
    lab.until(lambda: running(marker))
    with pytest.raises(Conflict, match=f"{name}-next read the output"):
        lab.pipelines.delete(name)
    lab.pipelines.delete(f"{name}-next")
    lab.pipelines.delete(name)
    lab.until(lambda: running(marker) == [])
    repos = {each.name for each in lab.store.list_repos()}
    assert not {name, meta_repo(name), spec_repo(name)} & repos
    with pytest.raises(NotFound):
        lab.pipelines.inspect(name)
    lab.create(name, UPPER, source(f"{name}-in"))
    assert lab.wait(name).state == "success"


def test_pipelines_that_would_feed_themselves_are_refused_and_named(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha")
    lab.create(f"{name}-a", UPPER, source(f"{name}-in"))
    lab.create(f"{name}-b", UPPER, source(f"{name}-a"))
    with pytest.raises(Invalid, match=f"feed themselves: .*{name}-a → {name}-b"):
        lab.update(f"{name}-a", UPPER, source(f"{name}-b"))


def test_names_and_inputs_are_checked_before_anything_is_made(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha")
    with pytest.raises(NotFound, match=f"{name}-none"):
        lab.create(name, UPPER, source(f"{name}-none"))
    lab.put(name, a="mine")
    with pytest.raises(AlreadyExists, match="has data of its own"):
        lab.create(name, UPPER, source(f"{name}-in"))
    lab.create(f"{name}-x", UPPER, source(f"{name}-in"))
    with pytest.raises(AlreadyExists, match="exists already"):
        lab.create(f"{name}-x", UPPER, source(f"{name}-in"))
    assert not {f"{name}.meta", f"{name}.spec"} & {each.name for each in lab.store.list_repos()}


def test_an_open_commit_of_somebody_else_on_the_output_branch_is_waited_for(lab: Lab, name: str) -> None:
    lab.put(f"{name}-in", a="alpha")
    lab.create(name, UPPER, source(f"{name}-in"))
    lab.wait(name)
    mine = lab.store.start_commit(name, "master")
    commit = lab.put(f"{name}-in", a="beta")
    lab.until(lambda: lab.pipelines.jobs(name, commit) and "is open on" in lab.newest(name).reason)
    lab.store.drop_commit(name, mine.id)
    assert lab.wait(name, commit).state == "success"
    assert lab.files(name) == {"/a": "BETA"}
