"""What specs, code, machines and clocks can do wrong, and what comes of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from jupyter_dvmount.pipelines.controller.cron import Clocks
from jupyter_dvmount.pipelines.jobs import specs
from jupyter_dvmount.pipelines.sandbox.plan import Plan
from jupyter_dvmount.pipelines.sandbox.tiers import Tiers
from jupyter_dvmount.store.embedded.commits import history
from jupyter_dvmount.store.embedded.writing import publish
from tests.integration.pipelines.lab import Lab
from tests.integration.pipelines.sandboxes import need
from tests.integration.pipelines.test_controller import UPPER, check_whole, source

BROKEN_PODMAN = "echo 'Error: cannot set up the storage' >&2; exit 125"
NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.close()


def executable(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def tiers_with(programs: Path, monkeypatch: pytest.MonkeyPatch) -> Tiers:
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.delenv("DVMOUNT_TIER", raising=False)
    return Tiers()


# clocks


def test_a_clock_that_is_set_back_changes_nothing_about_the_order_of_jobs(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.put("in", a="0")
    lab.create("upper", UPPER, source("in"))
    made = []
    for number, hours in enumerate((0, 9, -5, 3, -7), start=1):
        micros = int((NOON + timedelta(hours=hours)).timestamp() * 1_000_000)
        for module in (history, publish):
            monkeypatch.setattr(module, "now", lambda micros=micros: micros)
        made.append(lab.put("in", a=f"at {number}"))
    monkeypatch.undo()
    lab.once()
    assert [job.id for job in lab.pipelines.jobs("upper")][:5] == made[::-1]
    assert lab.files("upper") == {"/a": "AT 5"}
    check_whole(lab)


def test_a_clock_that_was_ahead_does_not_silence_a_cron_input(lab: Lab) -> None:
    lab.create("report", "true", {"cron": {"name": "tick", "spec": "0 * * * *"}})
    with lab.database.read() as connection:
        versions = specs.current(connection)
    epoch = lab.database.begin_epoch()
    clocks = Clocks(lab.store, lab.database, epoch)
    assert not clocks.tick(versions, NOON)
    assert clocks.tick(versions, NOON + timedelta(days=3650))
    back = NOON + timedelta(minutes=1)
    assert not clocks.tick(versions, back)
    assert clocks.tick(versions, back + timedelta(hours=1))
    again = Clocks(lab.store, lab.database, epoch)  # what was written down is no better
    assert not again.tick(versions, back)
    assert again.tick(versions, back + timedelta(hours=2))


# code


def test_a_device_in_the_output_is_refused(lab: Lab) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make devices")
    lab.put("in", a="alpha")
    lab.create("upper", "mknod $PFS_OUT/null c 1 3", source("in"), datum_tries=1)
    lab.once()
    assert "/pfs/out/null is a device; write regular files" in lab.newest("upper").reason


def test_fifty_gigabytes_of_holes_are_stored_without_reading_them(lab: Lab) -> None:
    lab.put("in", a="alpha")
    lab.create("upper", "truncate -s 50G $PFS_OUT/big", source("in"))
    lab.once()
    found = lab.store.read("upper", "master").lookup("/big")
    assert found is not None
    assert found.size == 50 << 30


def test_code_that_writes_to_its_inputs_changes_no_data(lab: Lab) -> None:
    """Not even in tier plain as root, which no permission stops."""
    lab.put("in", a="alpha")
    script = "echo changed > $data; rm -f $data; touch $PFS_OUT/done"
    lab.create("rude", script, source("in"))
    lab.create("polite", UPPER, source("in"))
    lab.once()
    assert {job.state for job in lab.pipelines.jobs()} == {"success"}
    assert lab.files("in") == {"/a": "alpha"}
    assert lab.files("polite") == {"/a": "ALPHA"}
    check_whole(lab)


def test_a_job_ends_with_the_spec_that_it_began_with(lab: Lab) -> None:
    lab.put("in", a="alpha", b="beta")
    gate = lab.root / "go"
    slow = f"until [ -e '{gate}' ]; do sleep 0.02; done; {UPPER}"
    lab.create("upper", slow, source("in"), datum_set_spec={"number": 1})
    lab.start()
    first = lab.newest("upper").id
    lab.until(lambda: lab.newest("upper").state == "running")
    lab.update("upper", "echo new > $PFS_OUT/$(basename $data)", source("in"))
    gate.touch()
    assert lab.wait("upper", first).state == "success"
    second = lab.until(lambda: lab.newest("upper").id != first and lab.newest("upper").id)
    assert lab.wait("upper", second).state == "success"
    assert lab.files("upper", first) == {"/a": "ALPHA", "/b": "BETA"}
    assert lab.files("upper", second) == {"/a": "new\n", "/b": "new\n"}


# machines


def test_where_user_namespaces_are_forbidden_tier_plain_runs_and_the_probe_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path / "bwrap", "echo 'bwrap: No permissions to create a new namespace' >&2; exit 1")
    tiers = tiers_with(tmp_path, monkeypatch)
    assert tiers.choose(Plan(cmd=("true",))).tier == "plain"
    (found,) = [each for each in tiers.look() if each.tier == "bubblewrap"]
    assert found.why == "bubblewrap does not work here: No permissions to create a new namespace"
    assert "allow user namespaces" in found.fix


def test_a_broken_podman_is_named_and_the_next_tier_runs_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path / "podman", BROKEN_PODMAN)
    tiers = tiers_with(tmp_path, monkeypatch)
    plan = Plan(cmd=("true",), image="python:3.12")
    sandbox = tiers.choose(plan)
    assert sandbox.tier != "image"
    assert "image python:3.12 is not used: the programs of this machine run instead" in sandbox.warnings(plan)
    (found,) = [each for each in tiers.look() if each.tier == "image"]
    assert "cannot set up the storage" in found.why
    assert found.fix == "make 'podman run' work for this user, or install runc"


def test_a_job_whose_image_is_required_waits_until_it_can_be_run(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    executable(programs / "podman", BROKEN_PODMAN)
    lab = Lab(tmp_path, tier="")
    try:
        lab.put("in", a="alpha")
        transform = {"image": "python:3.12", "image_required": True}
        lab.create("upper", "touch $PFS_OUT/done", source("in"), transform=transform)
        lab.start(PATH=f"{programs}:/usr/bin:/bin")
        reason = lab.until(lambda: lab.newest("upper").reason)
        assert reason.startswith("waiting: image python:3.12 cannot be run: ")
        assert "cannot set up the storage" in reason
        assert lab.newest("upper").state == "running"
        lab.update("upper", "touch $PFS_OUT/done", source("in"), transform={"image": "python:3.12"})
        lab.pipelines.stop_job("upper", [*lab.pipelines.jobs("upper")][-1].id)
        assert lab.wait("upper", lab.newest("upper").id).state == "success"
    finally:
        lab.close()


def test_a_job_whose_image_is_absent_says_so_while_it_tries_again(tmp_path: Path) -> None:
    need("image")
    lab = Lab(tmp_path, tier="image")
    try:
        lab.put("in", a="alpha")
        transform = {"image": "registry.invalid/absent:1"}
        lab.create("upper", "true", source("in"), transform=transform)
        lab.start()
        reason = lab.until(lambda: lab.newest("upper").reason)
        assert reason.startswith(
            "waiting: image registry.invalid/absent:1 is not here and cannot be pulled: "
        )
        assert reason.endswith("; pull or build it, or correct transform.image")
        assert lab.newest("upper").state == "running"
    finally:
        lab.close()


def test_a_full_disk_of_the_code_is_the_codes_own_failure(lab: Lab) -> None:
    """``/dev/full`` stands for it: the code gets ENOSPC, and the job goes on with the other datums."""
    lab.put("in", a="alpha", b="beta")
    script = f"if [ $(basename $data) = a ]; then echo x > /dev/full || exit 3; fi; {UPPER}"
    lab.create("upper", script, source("in"), datum_tries=1)
    lab.once()
    job = lab.newest("upper")
    assert (job.state, job.datums.success, job.datums.failed) == ("failure", 1, 1)
    assert "exit code 3" in job.reason
    assert [*(lab.config.state / "scratch").iterdir()] == []
