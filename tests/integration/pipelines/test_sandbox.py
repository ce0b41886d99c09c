"""What every tier promises about the code that it runs."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from jupyter_dvmount.pipelines.sandbox.plan import Bind
from tests.integration.pipelines.sandboxes import TIERS, Box, boxes, data, need, running

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run code as another user")


@pytest.fixture(params=["plain", "bubblewrap", "image"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    yield from boxes(request.param, tmp_path / "boxes")


def unique() -> str:
    """A number of seconds to sleep that names a process."""
    return f"600.{int.from_bytes(os.urandom(3), 'big') + 1}"


# the surroundings


def test_code_reads_its_input_and_writes_its_output(box: Box, tmp_path: Path) -> None:
    place = box.place(inputs=(data(tmp_path / "in"),), env={"PATH": "/usr/bin:/bin"})
    outcome = box.sh("cat /pfs/images/a.txt > /pfs/out/b.txt", place=place)
    assert outcome.state == "success", (outcome, box.printed)
    assert (place.out / "b.txt").read_text() == "alpha\n"


def test_single_files_appear_where_the_datum_has_them(box: Box, tmp_path: Path) -> None:
    source = data(tmp_path / "in").source / "a.txt"
    place = box.place(inputs=(Bind(source, "/pfs/images/deep/er/a.txt"), Bind(source, "/pfs/other/b.txt")))
    outcome = box.sh("cat /pfs/images/deep/er/a.txt /pfs/other/b.txt > /pfs/out/both", place=place)
    assert outcome.state == "success", (outcome, box.printed)
    assert (place.out / "both").read_text() == "alpha\nalpha\n"


def test_nothing_else_of_the_parents_environment_gets_in(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVATE_TOKEN", "do-not-show")
    place = box.place(secret_env={"KEY": "secret-value"})
    assert box.run("env", place=place, env={"SPEC": "given"}).state == "success"
    lines = dict(line.split("=", 1) for line in box.printed.decode().splitlines())
    own = {"PATH", "HOME", "PWD", "TMPDIR", "SHLVL", "_", "container", "HOSTNAME", "TERM"}
    assert lines["SPEC"] == "given"
    assert lines["KEY"] == "secret-value"
    assert set(lines) - own == {"SPEC", "KEY"}


def test_a_secrets_value_is_in_no_ones_arguments(box: Box) -> None:
    place = box.place(secret_env={"KEY": "secret-value-in-env"})
    seconds = unique()
    seen: list[list[int]] = []
    box.cancel_after(lambda: running(seconds) and not seen.append(running("secret-value-in-env")))
    box.run("sleep", seconds, place=place, grace=0.1)
    assert seen == [[]]


def test_files_of_secrets_are_where_the_spec_wants_them(box: Box, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("value")
    place = box.place(secrets=(Bind(tmp_path / "secret", "/run/secrets/wandb"),))
    outcome = box.sh("cat /run/secrets/wandb/key > /pfs/out/copy", place=place)
    assert outcome.state == "success", (outcome, box.printed)
    assert (place.out / "copy").read_text() == "value"


def test_standard_input_is_fed_line_by_line(box: Box) -> None:
    assert box.run("cat", stdin=("one", "two é")).state == "success"
    assert box.printed.decode() == "one\ntwo é\n"


def test_the_working_directory_is_the_specs(box: Box) -> None:
    assert box.sh("pwd", working_dir="/bin").state == "success"
    assert box.printed.decode().strip() in {"/bin", "/usr/bin"}


def test_a_working_directory_that_is_not_there_is_the_users_error(box: Box) -> None:
    outcome = box.sh("pwd", working_dir="/no/such/place")
    if box.tier == "image" and outcome.state == "success":
        return  # podman makes it
    assert (outcome.state, outcome.failure) == ("failed", "user")
    assert "/no/such/place" in outcome.reason


def test_a_program_that_is_not_there_is_the_users_error(box: Box) -> None:
    outcome = box.run("no-such-program")
    assert (outcome.state, outcome.failure) == ("failed", "user")
    assert "no-such-program" in outcome.reason


@needs_root
def test_code_runs_as_the_user_of_the_spec(box: Box, tmp_path: Path) -> None:
    for directory in (tmp_path, *list(tmp_path.parents)[:2]):
        directory.chmod(0o755)
    outcome = box.sh("id -u; id -g; echo mine > /pfs/out/x", user="65534:65534")
    if box.tier == "image":
        assert b"65534\n" in box.printed
        return
    assert outcome.state == "success", (outcome, box.printed)
    assert box.printed.decode().split() == ["65534", "65534"]


# how it ends


def test_an_exit_code_is_the_users_error_and_is_told(box: Box) -> None:
    outcome = box.sh("exit 3")
    assert (outcome.state, outcome.failure, outcome.exit_code) == ("failed", "user", 3)
    assert "exit code 3" in outcome.reason


def test_accepted_return_codes_are_success(box: Box) -> None:
    assert box.sh("exit 3", accept_return_code=(3,)).state == "success"


def test_the_error_command_recovers_a_datum(box: Box) -> None:
    outcome = box.sh("exit 3", err_cmd=("cat",), err_stdin=("handled",))
    assert (outcome.state, outcome.exit_code) == ("recovered", 3)
    assert box.printed == b"handled\n"


def test_an_error_command_that_fails_recovers_nothing(box: Box) -> None:
    assert box.sh("exit 3", err_cmd=("false",)).state == "failed"


def test_what_is_printed_comes_whole_and_in_order(box: Box) -> None:
    count = "i=0; while [ $i -lt 3000 ]; do {}; i=$((i+1)); done"
    if box.tier == "image":  # its engine carries the two streams apart, and may mix them within a line
        for stream in ("echo $i", "echo $i >&2"):
            box.printed.clear()
            assert box.sh(count.format(stream)).state == "success"
            assert box.printed.decode().split() == [str(i) for i in range(3000)]
        return
    assert box.sh(count.format("echo $i; echo e$i >&2")).state == "success"
    assert box.printed.decode().split() == [x for i in range(3000) for x in (f"{i}", f"e{i}")]


def test_a_timeout_ends_the_code_in_time(box: Box) -> None:
    seconds = unique()
    begin = time.monotonic()
    outcome = box.run("sleep", seconds, timeout=1.0, grace=0.2)
    assert (outcome.state, outcome.failure) == ("failed", "timeout")
    assert "datum_timeout" in outcome.reason
    assert time.monotonic() - begin < 4
    assert running(seconds) == []


def test_cancel_gives_the_code_time_to_write_down_its_last_step(box: Box) -> None:
    place = box.place(env={"PATH": "/usr/bin:/bin"})
    script = (
        "trap 'echo saved > /pfs/out/state; exit 0' INT\ntouch /pfs/out/ready\nwhile :; do sleep 0.1; done"
    )
    box.cancel_after((place.out / "ready").exists)
    outcome = box.run("sh", "-c", script, place=place, grace=10)
    assert outcome.state == "cancelled"
    assert (place.out / "state").read_text() == "saved\n"
    assert outcome.seconds < 9


def test_code_that_ignores_every_signal_is_dead_a_second_after_the_grace(box: Box) -> None:
    place = box.place(env={"PATH": "/usr/bin:/bin"})
    seconds = unique()
    script = f"trap '' INT TERM HUP; touch /pfs/out/ready; sleep {seconds} & sleep {seconds}; sleep {seconds}"
    begun: list[float] = []
    box.cancel_after(lambda: (place.out / "ready").exists() and not begun.append(time.monotonic()))
    outcome = box.run("sh", "-c", script, place=place, grace=0.3)
    assert outcome.state == "cancelled"
    assert running(seconds) == []
    assert time.monotonic() - begun[0] < 0.3 + 1.0 + (1.0 if box.tier == "image" else 0.0)


def test_no_daemon_outlives_the_code(box: Box) -> None:
    seconds = unique()
    script = (
        f"(setsid sh -c '(sleep {seconds} &) ; exec sleep {seconds}' >/dev/null 2>&1 &)\nsleep 0.2; exit 0"
    )
    assert box.run("sh", "-c", script).state == "success"
    assert running(seconds) == []


def test_nothing_is_left_when_the_supervisor_goes(box: Box) -> None:
    seconds = unique()
    program = (
        "import sys; sys.path.insert(0, sys.argv[4])\n"
        "from pathlib import Path\n"
        "from tests.integration.pipelines.sandboxes import Box\n"
        "script = f'setsid sleep {sys.argv[3]} & sleep {sys.argv[3]}'\n"
        "Box(sys.argv[1], Path(sys.argv[2])).run('sh', '-c', script)\n"
    )
    here = str(Path(__file__).parents[3])
    arguments = [sys.executable, "-c", program, box.tier, str(box.root), seconds, here]
    with subprocess.Popen(arguments) as process:
        deadline = time.monotonic() + 20
        while len(running(f"sleep\0{seconds}")) + len(running(seconds)) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
    deadline = time.monotonic() + 5
    while running(seconds) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert running(seconds) == []


# limits


def test_a_memory_limit_is_recognised(box: Box) -> None:
    if box.tier != "image" and "memory" not in TIERS.cgroups.bounded:
        pytest.skip("no control group can be made here")
    outcome = box.sh("a=xxxxxxxxxxxxxxxx; while :; do a=$a$a; done", memory=64 << 20)
    assert (outcome.state, outcome.failure) == ("failed", "oom"), (outcome, box.printed)
    assert "resource_limits.memory" in outcome.reason


def test_code_within_its_limits_is_not_disturbed(box: Box) -> None:
    assert box.sh("echo fine", memory=256 << 20, cpu=1).state == "success"


def test_processor_time_is_bounded(box: Box) -> None:
    if box.tier != "image" and "cpu" not in TIERS.cgroups.bounded:
        pytest.skip("no control group can be made here")
    outcome = box.run("sh", "-c", "while :; do :; done", cpu=0.2, timeout=1.5, grace=0.0)
    assert outcome.failure == "timeout"
    if box.tier != "image":  # there the time is the container's, not this process's
        assert outcome.cpu_seconds < 0.8


def test_code_that_fills_the_disk_is_ended_at_its_limit(box: Box) -> None:
    script = "n=0; while :; do n=$((n+1)); head -c 1000000 /dev/zero > /pfs/out/$n; sleep 0.02; done"
    place = box.place()
    outcome = box.sh(script, place=place, disk=5_000_000, timeout=30)
    assert (outcome.state, outcome.failure) == ("failed", "user"), (outcome, box.printed)
    assert outcome.reason == "wrote too much: the limit is 5000000 bytes (resource_limits.disk)"
    assert sum(each.stat().st_size for each in place.out.iterdir()) < 100_000_000


def test_one_file_does_not_get_beyond_the_limit_however_fast_it_grows(box: Box) -> None:
    place = box.place()
    outcome = box.run("dd", "if=/dev/zero", "of=/pfs/out/big", "bs=65536", place=place, disk=5_000_000)
    assert "resource_limits.disk" in outcome.reason, (outcome, box.printed)
    assert (place.out / "big").stat().st_size <= 5_000_000


def test_what_is_written_in_no_time_is_counted_too(box: Box) -> None:
    place = box.place()
    script = "for n in 1 2 3; do head -c 100000 /dev/zero > /pfs/out/$n; done"
    assert "resource_limits.disk" in box.sh(script, place=place, disk=200_000).reason
    assert box.sh(script, place=place, disk=600_000).state == "success"


# what differs


def test_inputs_cannot_be_written_to(box: Box, tmp_path: Path) -> None:
    bind = data(tmp_path / "in")
    if box.tier == "plain":
        pytest.skip("tier plain relies on the mount or the copy being read-only")
    place = box.place(inputs=(bind,))
    assert box.sh("echo x > /pfs/images/new || exit 9", place=place).exit_code == 9
    assert box.sh("echo x > /pfs/other || exit 9", place=place).exit_code == 9 or box.tier == "image"
    assert [path.name for path in bind.source.iterdir()] == ["a.txt"]
    assert stat.S_IMODE((bind.source / "a.txt").stat().st_mode) == 0o444


def test_an_environment_of_python_below_tmp_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("bubblewrap")
    with TemporaryDirectory(dir="/tmp") as prefix:
        venv.create(prefix)
        monkeypatch.setattr(sys, "prefix", prefix)
        for box in boxes("bubblewrap", tmp_path):
            outcome = box.run(f"{prefix}/bin/python", "-c", "import sys; print(sys.prefix)")
            assert (outcome.state, box.printed.decode().strip()) == ("success", prefix)
            assert box.sh(f"touch {prefix}/new").state == "failed"
