"""Whatever is killed comes back, and every path works again."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dvmount_fuse.control import Ping, ask
from dvmount_fuse.endpoint import clean, mounted_device
from dvmount_fuse.layout import State
from jupyter_dvmount.mounting.manager import MountManager
from tests.integration.mounts.processes import LIMIT, kill, pid_of, processes_of, wait_for

pytestmark = pytest.mark.usefixtures("fuse")


@pytest.fixture
def mounted(manager, put):
    put({"/a": b"content"})
    return Path(manager.mount("images", "master").path)


@contextmanager
def kept_open(path):
    """A descriptor that outlives its daemon: closing it is an error then."""
    descriptor = os.open(path, os.O_RDONLY)
    yield
    with suppress(OSError):
        os.close(descriptor)


def reads(mounted):
    return lambda: (mounted / "a").read_bytes() == b"content"


def test_a_killed_daemon_is_back_within_seconds(mounted, config, record_property):
    for _ in range(2):
        killed = pid_of(config.state, "daemon")
        kill(killed)
        took = wait_for(
            lambda killed=killed: pid_of(config.state, "daemon") != killed and reads(mounted)(), 10
        )
        record_property("seconds", took)


def test_a_killed_supervisor_is_replaced_by_the_next_call_and_keeps_the_daemon(manager, mounted, config):
    daemon, supervisor = pid_of(config.state, "daemon"), pid_of(config.state, "supervisor")
    with (mounted / "a").open("rb") as file:
        kill(supervisor)
        wait_for(lambda: supervisor not in processes_of(config.state))
        assert manager.list()[0].error == ""
        wait_for(lambda: pid_of(config.state, "supervisor") != supervisor)
        assert file.read() == b"content"
    assert pid_of(config.state, "daemon") == daemon
    kill(daemon)  # and the new supervisor watches the old daemon
    wait_for(lambda: pid_of(config.state, "daemon") != daemon)
    wait_for(reads(mounted), 10)


def test_daemon_and_supervisor_bring_each_other_back_without_any_call(mounted, config):
    for which in ("supervisor", "daemon"):
        killed = pid_of(config.state, which)
        kill(killed)
        wait_for(lambda which=which, killed=killed: pid_of(config.state, which) != killed, 30)
        wait_for(reads(mounted), 20)


def test_what_was_ended_in_order_is_not_revived_and_what_was_killed_is(manager, mounted, config):
    manager.stop()
    manager.look_after()
    assert processes_of(config.state) == []
    manager.restore()
    for which in ("supervisor", "daemon"):
        kill(pid_of(config.state, which))
    manager.look_after()
    wait_for(reads(mounted), 20)


def test_closing_the_terminal_in_which_it_was_mounted_ends_nothing(mounted, config):
    for which in ("supervisor", "daemon"):
        pid = pid_of(config.state, which)
        assert os.getsid(pid) != os.getsid(0)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        assert fields[4] == "0"  # tty_nr: no terminal to hang up


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_ending_the_processes_of_a_session_leaves_no_endpoint(mounted, config, number):
    """As at a log-out that ends everything of the user."""
    ended = {which: os.pidfd_open(pid_of(config.state, which)) for which in ("supervisor", "daemon")}
    for process in ended.values():
        signal.pidfd_send_signal(process, number)
    for process in ended.values():
        select.select([process], [], [], 20)
        os.close(process)
    assert processes_of(config.state) == []
    assert mounted_device(State(config.state).fs) is None


def test_both_killed_at_once_come_back_with_the_next_call(manager, mounted, config):
    for which in ("supervisor", "daemon"):
        kill(pid_of(config.state, which))
    listed = manager.list()[0]
    assert "daemon" in listed.error or not listed.error
    wait_for(reads(mounted), 10)
    assert manager.list()[0].error == ""


USES = [
    ["ls", "-lR", "{0}"],
    ["stat", "{0}/package/module.py"],
    ["cat", "{0}/{1}"],
    [sys.executable, "-c", "import sys; sys.path.insert(0, '{0}/package'); import module"],
    [sys.executable, "-c", "import mmap; f = open('{0}/{1}'); mmap.mmap(f.fileno(), 0, prot=1)[5]"],
]  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_whoever_uses_a_mount_whose_daemon_dies_or_hangs_gets_an_answer(manager, put, config, start, number):
    """Each use begins while the daemon does not serve, and ends: with what it wanted, or with an error."""
    put({"/package/module.py": b"answer = 42", **{f"/{n}": b"%d" % n * 3000 for n in range(20)}})
    path = Path(manager.mount("images", "master").path)
    daemon = pid_of(config.state, "daemon")
    busy = start("sh", "-c", f"while true; do cat {path}/* > /dev/null 2>&1; done")
    os.kill(daemon, number)
    using = [start(*(word.format(path, n) for word in words)) for n, words in enumerate(USES)]
    for process in using:
        process.communicate(timeout=LIMIT)
    wait_for(lambda: pid_of(config.state, "daemon") != daemon, 40)
    wait_for(lambda: (path / "7").read_bytes() == b"7" * 3000)
    assert busy.poll() is None
    for n, words in enumerate(USES):  # and the same works again
        process = start(*(word.format(path, n) for word in words))
        process.communicate(timeout=LIMIT)
        assert process.returncode == 0, words


def test_a_daemon_that_hangs_hangs_no_caller(manager, mounted, config):
    os.kill(pid_of(config.state, "daemon"), signal.SIGSTOP)
    begin = time.monotonic()
    listed = manager.list()[0]
    assert time.monotonic() - begin < 8
    assert "does not answer" in listed.error


def test_a_mount_made_while_nothing_runs_finds_a_stale_endpoint_cleaned(manager, mounted, config, put):
    for which in ("supervisor", "daemon"):
        kill(pid_of(config.state, which))
    wait_for(lambda: not processes_of(config.state))
    fs = State(config.state).fs
    assert mounted_device(fs) is not None  # the dead endpoint is still in the kernel's table
    put({"/b": b"2"}, repo="other")
    assert (Path(manager.mount("other", "master").path) / "b").read_bytes() == b"2"
    assert reads(mounted)()


def test_mounts_work_again_after_everything_was_stopped(manager, mounted, config):
    manager.stop()
    assert processes_of(config.state) == []
    assert mounted_device(State(config.state).fs) is None
    mounted.unlink()  # as if the home directory had been cleaned up
    restored = manager.restore()
    assert [mount.error for mount in restored] == [""]
    assert reads(mounted)()


def test_stopping_ends_a_daemon_whose_supervisor_was_killed(manager, mounted, config):
    kill(pid_of(config.state, "supervisor"))
    manager.stop()
    assert mounted_device(State(config.state).fs) is None
    manager.restore()
    assert reads(mounted)()
    for which in ("supervisor", "daemon"):
        kill(pid_of(config.state, which))
    manager.stop()  # what is left of both is the dead endpoint
    wait_for(lambda: processes_of(config.state) == [])
    assert mounted_device(State(config.state).fs) is None


def test_those_who_miss_the_supervisor_at_once_start_one(manager, mounted, config):
    manager.stop()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: MountManager(config, manager._store).list(), range(8)))
    log = (config.state / "run" / "supervisor.log").read_text()
    assert "not watching" not in log, "a second one came and found the first"
    manager.stop()
    assert processes_of(config.state) == []


def test_a_mount_unmounted_behind_our_back_comes_back(mounted, config):
    clean(State(config.state).fs)
    wait_for(reads(mounted), 10)


def test_a_mount_unmounted_while_files_are_open_comes_back_too(mounted, config):
    with kept_open(mounted / "a"):
        clean(State(config.state).fs)
        wait_for(reads(mounted), 20)


def test_stopping_does_not_wait_for_open_files(manager, mounted, config):
    with kept_open(mounted / "a"):
        begin = time.monotonic()
        manager.stop()
        assert time.monotonic() - begin < 8  # HUNG is when it would be killed
    assert mounted_device(State(config.state).fs) is None
    manager.restore()
    assert reads(mounted)()


def readable(mounted, since, seen):
    """Whether the daemon opens the directory; else notes the errno, and the time since the last look."""
    try:
        list(mounted.resolve().iterdir())
        return True
    except OSError as error:
        seen[error.errno] = seen.get(error.errno, 0.0) + time.monotonic() - since
        return False


def test_while_the_daemon_restarts_a_path_is_an_error_and_not_missing(mounted, config):
    """An empty directory in its place would tell whoever looks that there are no files."""
    seen = {}
    for _ in range(3):
        kill(pid_of(config.state, "daemon"))
        before = time.monotonic()
        while not readable(mounted, before, seen):
            before = time.monotonic()
    assert seen.get(errno.ENOENT, 0.0) < sum(seen.values()) / 4  # the moment between two system calls


def test_processes_end_when_nothing_has_been_mounted_for_a_while(config, put, store):
    from jupyter_dvmount.mounting.manager import MountManager

    state = State(config.state)
    state.prepare()
    supervisor = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyter_dvmount.mounting.supervisor",
            "--state",
            str(config.state),
            "--idle",
            "0.5",
        ]
    )
    put({"/a": b"1"})
    manager = MountManager(config, store)
    wait_for(lambda: pid_of(config.state, "supervisor") == supervisor.pid)
    path = Path(manager.mount("images", "master").path, "a")
    time.sleep(1.5)
    assert supervisor.poll() is None  # it stays as long as something is mounted
    with path.open("rb") as file:
        manager.unmount("images")
        time.sleep(1.5)
        assert supervisor.poll() is None  # nor while somebody still reads
        assert file.read() == b"1"
    assert supervisor.wait(timeout=30) == 0
    assert processes_of(config.state) == []
    assert mounted_device(state.fs) is None


def test_there_is_one_daemon_and_one_supervisor_however_many_are_started(mounted, config):
    for module in ("dvmount_fuse.main", "jupyter_dvmount.mounting.supervisor"):
        second = subprocess.run(
            [sys.executable, "-m", module, "--state", str(config.state)],
            timeout=60,
            capture_output=True,
            check=False,
        )
        assert second.returncode == (3 if "fuse" in module else 0)
    assert len(processes_of(config.state)) == 2
    assert reads(mounted)()


def test_the_daemon_tells_how_it_is(manager, mounted, config):
    status = ask(State(config.state).socket, Ping())
    assert (status.pid, status.mounted, status.commits) == (pid_of(config.state, "daemon"), True, 1)
    assert status.mountpoint == str(State(config.state).fs)
    assert 10 << 20 < status.rss < 150 << 20


def test_what_has_just_been_started_is_not_overlooked_by_who_ends_it(manager, put, config):
    for _ in range(3):
        manager.expect()
        manager.stop()
        assert processes_of(config.state) == []
    put({"/a": b"1"})
    manager.expect()
    assert (Path(manager.mount("images", "master").path) / "a").read_bytes() == b"1"
    assert len(processes_of(config.state)) == 2
