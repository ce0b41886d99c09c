"""What a batch of attempts promises from submission to stored output, through real agents."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_dvmount.config import Config
from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.pipelines.executors import Full, open_executor
from jupyter_dvmount.pipelines.executors.local import LocalExecutor
from jupyter_dvmount.pipelines.messages import Attempt, Batch, Event, Finished, Logged, Started
from jupyter_dvmount.pipelines.model import Datum, DatumInput
from jupyter_dvmount.pipelines.outputs import manifest
from jupyter_dvmount.pipelines.sandbox.plan import Plan, SecretUse
from jupyter_dvmount.pipelines.secrets import SecretStore
from jupyter_dvmount.store import NotFound, VersionStore, open_store
from tests.fuse import need_fuse
from tests.integration.pipelines.sandboxes import need, running

SECRET = b"local-0123456789abcdefghij"


class Engine:
    """An executor with one slot, and what has come of its batches."""

    def __init__(self, root: Path) -> None:
        url = (root / "store").as_uri()
        self.config = Config(store=url, state=root / "state", root=root / "root")
        self.store: VersionStore = open_store(url)
        self.store.create_repo("images")
        self.store.create_repo("outputs")
        with self.store.modify("images", "master") as writer:
            for name in ("a", "b", "deep/c"):
                writer.put(f"/{name}.txt", f"content of {name}\n".encode())
        self.commit = writer.commit.id
        self.secrets = SecretStore(self.config.state / "secrets")
        self.executor = LocalExecutor(self.config, self.secrets, 1)
        self.events: list[Event] = []

    def input(self, path: str, **options: Any) -> DatumInput:
        found = self.store.read("images", self.commit).lookup(path)
        assert found is not None
        values = {"name": "images", "repo": "images", "branch": "master", "commit": self.commit}
        return DatumInput(**values, path=path, type=found.type, hash=found.hash, size=found.size, **options)

    def attempt(self, *inputs: DatumInput, **options: Any) -> Attempt:
        id = hashlib.sha256(repr(inputs).encode()).hexdigest()
        return Attempt(id=os.urandom(8).hex(), datum=Datum(id, inputs), **options)

    def batch(self, plan: Plan, *attempts: Attempt, **options: Any) -> Batch:
        values = {"job": "1" * 32, "output_commit": "2" * 32, "pipeline": "edges", "output_repo": "outputs"}
        return Batch(**values, plan=plan, attempts=attempts, **options)

    def wait(self, *attempts: Attempt, seconds: float = 30) -> list[Finished]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = {event.attempt: event for event in self.events if isinstance(event, Finished)}
            if all(attempt.id in found for attempt in attempts):
                return [found[attempt.id] for attempt in attempts]
            self.events += self.executor.events(0.2)
        raise AssertionError(f"not finished: {self.events}")

    def run(self, plan: Plan, *attempts: Attempt) -> list[Finished]:
        self.executor.submit(self.batch(plan, *attempts))
        return self.wait(*attempts)

    def sh(self, script: str, *inputs: DatumInput, **options: Any) -> Finished:
        (finished,) = self.run(Plan(cmd=("sh",), stdin=(script,), **options), self.attempt(*inputs))
        return finished

    def files(self, finished: Finished) -> dict[str, str]:
        assert finished.output is not None, finished
        reader = self.store.read(finished.output.repo, finished.output.commit)
        base = finished.output.path
        return {
            f.path: reader.open(base + f.path).read().decode() for f in manifest(self.store, finished.output)
        }

    def printed(self, finished: Finished) -> str:
        lines = [e.lines for e in self.events if isinstance(e, Logged) and e.attempt == finished.attempt]
        return "".join(f"{line.text}\n" for part in lines for line in part if not line.engine)

    def wait_for(self, ready: Callable[[], object], seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < deadline, self.events
            self.events += self.executor.events(0.05)

    def agents(self) -> list[psutil.Process]:
        return [p for p in psutil.Process().children() if "jupyter_dvmount.pipelines.agent" in p.cmdline()]

    def close(self) -> None:
        self.executor.close()
        MountManager(self.config, self.store).stop()
        self.store.close()


@pytest.fixture(params=["plain", "bubblewrap"])
def tier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    need(request.param)
    monkeypatch.setenv("DVMOUNT_TIER", request.param)
    return str(request.param)


@pytest.fixture(params=["fuse", "checkout"])
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "fuse":
        need_fuse()
    monkeypatch.setenv("DVMOUNT_MODE", request.param)
    return str(request.param)


def start(root: Path) -> Iterator[Engine]:
    engine = Engine(root)
    yield engine
    scratch = engine.config.state / "scratch"
    engine.close()
    assert [*scratch.glob("*")] == []
    assert [*Path("/dev/shm").glob(f"dvmount-{os.getpid()}-*")] == []
    assert engine.agents() == []


@pytest.fixture
def engine(tier: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Engine]:
    monkeypatch.setenv("DVMOUNT_MODE", "checkout")
    yield from start(tmp_path)


@pytest.fixture
def reading(tier: str, mode: str, tmp_path: Path) -> Iterator[Engine]:
    yield from start(tmp_path)


# data


def test_a_datum_is_read_and_its_output_stored(reading: Engine) -> None:
    script = "cat $images > $PFS_OUT/copy; mkdir /pfs/out/d; cat /pfs/images/a.txt > /pfs/out/d/again"
    finished = reading.sh(script, reading.input("/a.txt"))
    assert finished.outcome.state == "success", reading.printed(finished)
    assert reading.files(finished) == {"/copy": "content of a\n", "/d/again": "content of a\n"}
    assert finished.output is not None
    assert (finished.output.files, finished.output.size) == (2, 26)
    assert [branch.name for branch in reading.store.list_branches("outputs")] == []


def test_a_datum_may_be_a_whole_commit_a_directory_or_several_files(reading: Engine) -> None:
    list_all = "cd $PFS; find -L images -type f | sort"
    whole = reading.sh(list_all, reading.input("/"))
    group = reading.sh(list_all, reading.input("/a.txt"), reading.input("/b.txt"))
    directory = reading.sh(list_all, reading.input("/deep"))
    assert reading.printed(whole).split() == ["images/a.txt", "images/b.txt", "images/deep/c.txt"]
    assert reading.printed(group).split() == ["images/a.txt", "images/b.txt"]
    assert reading.printed(directory).split() == ["images/deep/c.txt"]


def test_empty_files_have_names_and_no_contents(reading: Engine) -> None:
    finished = reading.sh(
        "cd $PFS/images; find . -type f -size 0 | sort", reading.input("/", empty_files=True)
    )
    assert reading.printed(finished).split() == ["./a.txt", "./b.txt", "./deep/c.txt"]


def test_links_to_inputs_become_copies(reading: Engine) -> None:
    links = {"$images/a.txt": "renamed", "/pfs/images/deep": "dir", "renamed": "two"}
    script = "; ".join(f"ln -s {target} $PFS_OUT/{name}" for target, name in links.items())
    finished = reading.sh(script, reading.input("/"))
    assert reading.files(finished) == {
        "/renamed": "content of a\n",
        "/two": "content of a\n",
        "/dir/c.txt": "content of deep/c\n",
    }


def test_links_in_an_input_without_contents_move_the_contents(engine: Engine) -> None:
    finished = engine.sh("ln -s $images/a.txt $PFS_OUT/moved", engine.input("/", empty_files=True))
    assert engine.files(finished) == {"/moved": "content of a\n"}


def test_output_that_cannot_be_stored_is_the_users_error_and_named(engine: Engine) -> None:
    messages = {
        "mkfifo $PFS_OUT/pipe": "/pfs/out/pipe is a named pipe",
        "ln -s /etc/passwd $PFS_OUT/link": "/pfs/out/link is a link to /etc/passwd",
        "ln -s nowhere $PFS_OUT/link": "which is in no input",
        "ln -s link $PFS_OUT/link": "leads to itself",
        "mkdir $PFS_OUT/d; ln -s .. $PFS_OUT/d/up": "directory that it is in",
        "ln -s ../../../../etc/passwd $PFS_OUT/link": "which is in no input",
        "ln -s ../other/x $PFS_OUT/link": "which is in no input",
    }
    for script, message in messages.items():
        finished = engine.sh(script, engine.input("/a.txt"))
        assert (finished.outcome.state, finished.outcome.failure) == ("failed", "user")
        assert message in finished.outcome.reason
        assert finished.output is None


def test_a_socket_is_refused(engine: Engine) -> None:
    program = "import os, socket; os.chdir(os.environ['PFS_OUT']); socket.socket(socket.AF_UNIX).bind('s')"
    (finished,) = engine.run(Plan(cmd=("python3", "-c", program)), engine.attempt())
    assert "/pfs/out/s is a socket" in finished.outcome.reason


def test_only_successful_attempts_have_output(engine: Engine) -> None:
    failed = engine.sh("echo x > $PFS_OUT/x; exit 1")
    recovered = engine.sh("echo x > $PFS_OUT/x; exit 1", err_cmd=("true",))
    nothing = engine.sh("true")
    assert [each.outcome.state for each in (failed, recovered, nothing)] == ["failed", "recovered", "success"]
    assert [each.output for each in (failed, recovered, nothing)] == [None, None, None]


def test_attempts_of_a_batch_do_not_see_each_other(engine: Engine) -> None:
    attempts = [engine.attempt(engine.input(path)) for path in ("/a.txt", "/b.txt")]
    script = "ls /pfs/images /pfs/out /tmp/*; echo $images; cp $images $PFS_OUT; touch $HOME/left"
    finished = engine.run(Plan(cmd=("sh",), stdin=(script,)), *attempts)
    assert [engine.files(each) for each in finished] == [
        {"/a.txt": "content of a\n"},
        {"/b.txt": "content of b\n"},
    ]
    assert "left" not in "".join(map(engine.printed, finished))
    assert len({each.output.commit for each in finished if each.output}) == 1  # stored together


# surroundings


def test_the_variables_are_those_of_the_contract_and_no_others(engine: Engine, monkeypatch: Any) -> None:
    monkeypatch.setenv("PRIVATE_TOKEN", "of-the-parent")
    datum = engine.input("/a.txt", join_on="a", group_by="g")
    attempt = engine.attempt(datum, env={"WANDB_RUN_ID": "run1"})
    (finished,) = engine.run(Plan(cmd=("env",), env={"SPEC": "x"}), attempt)
    seen = dict(line.split("=", 1) for line in engine.printed(finished).splitlines())
    own = {"HOME", "TMPDIR", "PWD", "PATH", "LANG", "TZ", "DVM_ATTEMPT"}
    assert {key: value for key, value in seen.items() if key not in {*own, "images", "PFS", "PFS_OUT"}} == {
        "images_COMMIT": engine.commit,
        "PACH_DATUM_images_JOIN_ON": "a",
        "PACH_DATUM_images_GROUP_BY": "g",
        "PACH_JOB_ID": "1" * 32,
        "PACH_OUTPUT_COMMIT_ID": "2" * 32,
        "PACH_DATUM_ID": attempt.datum.id,
        "PPS_PIPELINE_NAME": "edges",
        "PPS_PROJECT_NAME": "default",
        "SPEC": "x",
        "WANDB_RUN_ID": "run1",
    }
    assert seen["images"] == f"{seen['PFS']}/images/a.txt"
    assert seen["PFS_OUT"] == f"{seen['PFS']}/out"


def test_secrets_reach_the_code_and_nothing_else(engine: Engine, capfd: Any) -> None:
    engine.secrets.create("wandb", {"key": SECRET})
    uses = (
        SecretUse(name="wandb", key="key", env_var="KEY"),
        SecretUse(name="wandb", mount_path="/run/dvmount-test/wandb"),
    )
    script = (
        "test $KEY = $(cat /run/dvmount-test/wandb/key) && echo same; echo $KEY | base64; echo [$KEY] >&2;"
        f"printf {SECRET[:9].decode()}; sleep 0.2; printf '{SECRET[9:].decode()}\\n'"
    )
    finished = engine.sh(script, secrets=uses)
    printed = engine.printed(finished)
    assert printed.startswith("same\n***")
    assert "[***]\n***\n" in printed
    assert SECRET.decode()[9:] not in repr(engine.events) + "".join(capfd.readouterr())
    left = [path for path in engine.config.state.rglob("*") if path.is_file() and SECRET in path.read_bytes()]
    assert left == []  # it is there in base64


def test_a_secret_that_is_missing_is_named_before_anything_runs(engine: Engine) -> None:
    plan = Plan(cmd=("true",), secrets=(SecretUse(name="absent", key="key", env_var="KEY"),))
    with pytest.raises(NotFound, match="no secret 'absent'"):
        engine.executor.submit(engine.batch(plan, engine.attempt()))
    engine.secrets.create("present", {"other": b"x"})
    finished = engine.sh("true", secrets=(SecretUse(name="present", key="key", env_var="KEY"),))
    assert "has no key 'key'" in finished.outcome.reason


# events


def test_started_comes_first_then_lines_then_finished_with_the_end_in_the_log(
    engine: Engine, tier: str
) -> None:
    finished = engine.sh("echo one; sleep 0.1; echo two")
    kinds = [type(event) for event in engine.events]
    assert (kinds[0], kinds[-1]) == (Started, Finished)
    assert set(kinds[1:-1]) == {Logged}
    assert engine.events[0].tier == tier
    assert engine.printed(finished) == "one\ntwo\n"
    assert engine.events[-2].lines[-1].end == "success"


def test_the_queue_is_bounded_and_everything_in_it_is_run(engine: Engine) -> None:
    attempts = [engine.attempt() for _ in range(2)]
    for attempt in attempts:
        engine.executor.submit(engine.batch(Plan(cmd=("sleep", "0.3")), attempt))
    engine.wait_for(lambda: engine.executor.room == 0)
    with pytest.raises(Full):
        engine.executor.submit(engine.batch(Plan(cmd=("true",)), engine.attempt()))
    assert [each.outcome.state for each in engine.wait(*attempts)] == ["success", "success"]
    engine.wait_for(lambda: engine.executor.room == 2)


def test_attempts_can_be_cancelled_waiting_or_running(engine: Engine) -> None:
    first, second, third, fourth = (engine.attempt() for _ in range(4))
    plan = Plan(cmd=("sleep", "600"), grace=0.2)
    engine.executor.submit(engine.batch(plan, first, second))
    engine.executor.submit(engine.batch(plan, third, fourth))
    engine.wait_for(lambda: engine.events)
    for attempt in (fourth, second, first, third):
        engine.executor.cancel(attempt.id)
    outcomes = engine.wait(first, second, third, fourth, seconds=10)
    assert [each.outcome.state for each in outcomes] == ["cancelled"] * 4
    assert engine.sh("true").outcome.state == "success"


def test_an_attempt_can_be_cancelled_at_once(engine: Engine) -> None:
    for pause in (0.0, 0.001, 0.02, 0.3):  # before, while and after the first agent starts
        attempt = engine.attempt()
        engine.executor.submit(engine.batch(Plan(cmd=("sleep", "600"), grace=0.0), attempt))
        time.sleep(pause)
        engine.executor.cancel(attempt.id)
        (finished,) = engine.wait(attempt, seconds=10)
        assert finished.outcome.state == "cancelled"


# what dies


def test_a_killed_agent_is_an_infrastructure_failure_and_leaves_nothing_running(engine: Engine) -> None:
    seconds = f"601.{int.from_bytes(os.urandom(3), 'big') + 1}"
    script = f"echo begun; setsid sh -c 'sleep {seconds} & exec sleep {seconds}' & sleep {seconds}"
    attempt = engine.attempt()
    engine.executor.submit(engine.batch(Plan(cmd=("sh", "-c", script)), attempt))
    engine.wait_for(lambda: len(running(seconds)) >= 3)
    (agent,) = engine.agents()
    agent.kill()
    (finished,) = engine.wait(attempt, seconds=10)
    assert (finished.outcome.state, finished.outcome.failure) == ("failed", "infrastructure")
    engine.wait_for(lambda: running(seconds) == [], seconds=3)
    assert engine.sh("true").outcome.state == "success"


def test_a_killed_keeper_is_an_infrastructure_failure_and_leaves_nothing_running(engine: Engine) -> None:
    seconds = f"602.{int.from_bytes(os.urandom(3), 'big') + 1}"
    attempt = engine.attempt()
    script = f"setsid sleep {seconds} & exec sleep {seconds}"
    engine.executor.submit(engine.batch(Plan(cmd=("sh", "-c", script)), attempt))
    engine.wait_for(lambda: len(running(seconds)) >= 2)
    (agent,) = engine.agents()
    (keeper,) = [p for p in agent.children() if "keeper" in " ".join(p.cmdline())]
    keeper.kill()
    (finished,) = engine.wait(attempt, seconds=10)
    assert (finished.outcome.state, finished.outcome.failure) == ("failed", "infrastructure")
    engine.wait_for(lambda: running(seconds) == [], seconds=3)
    assert engine.sh("true").outcome.state == "success"


def test_nothing_runs_on_when_the_executors_process_is_killed(
    tier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVMOUNT_MODE", "checkout")
    seconds = f"603.{int.from_bytes(os.urandom(3), 'big') + 1}"
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            engine = Engine(tmp_path)
            plan = Plan(cmd=("sh", "-c", f"setsid sleep {seconds} & sleep {seconds}"))
            engine.executor.submit(engine.batch(plan, engine.attempt()))
            time.sleep(60)
        os._exit(0)
    deadline = time.monotonic() + 20
    while len(running(seconds)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    scratch = [*(tmp_path / "state" / "scratch").glob("*")]
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    deadline = time.monotonic() + 5
    while (running(seconds) or any(each.exists() for each in scratch)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running(seconds) == []
    assert [each for each in scratch if each.exists()] == []


def test_executors_are_found_by_name(tmp_path: Path) -> None:
    config = Config(store=(tmp_path / "store").as_uri(), state=tmp_path / "state", root=tmp_path / "root")
    with open_executor("local", config, SecretStore(tmp_path / "secrets"), slots=3) as executor:
        assert (executor.name, executor.slots, executor.room) == ("local", 3, 6)
    with pytest.raises(Exception, match="no executor 'ray'"):
        open_executor("ray", config, SecretStore(tmp_path / "secrets"))
