"""kill -9 of a writer at every boundary: the store stays whole and the work can be done again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_dvmount.store import open_store

# Dies by SIGKILL at the nth boundary: before and after each sync, rename and transaction.
WRITER = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from jupyter_dvmount.store import open_store
from jupyter_dvmount.store.embedded.packs import pack
url, deadline = sys.argv[1], int(sys.argv[2])
passed = 0

def boundary():
    global passed
    passed += 1
    if passed == deadline:
        os.kill(os.getpid(), signal.SIGKILL)

def guarded(act):
    def call(*args, **options):
        boundary()
        result = act(*args, **options)
        boundary()
        return result
    return call

pack.TARGET = 300_000  # several packs
store = open_store(url)
os.fsync = guarded(os.fsync)
Path.rename = guarded(Path.rename)
event.listen(store._catalog._engine, "begin", lambda connection: boundary())
event.listen(store._catalog._engine, "commit", lambda connection: boundary())
with store.modify("images", "master") as writer:
    for number in range(12):
        writer.put(f"/new/{number}", os.urandom(100_000))
print(passed)
"""


def run_writer(url: str, deadline: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WRITER, url, str(deadline)], capture_output=True, text=True, check=False
    )


def age_everything(directory: Path) -> None:
    for path in directory.iterdir():
        os.utime(path, (1, 1))


def test_a_writer_killed_at_any_boundary_leaves_the_last_commit_whole(tmp_path: Path) -> None:
    url = (tmp_path / "store").as_uri()
    with open_store(url) as store:
        store.create_repo("images")
        with store.modify("images", "master") as writer:
            writer.put("/old", b"old")
    deadline = 0
    committed = 1
    while True:
        deadline += 1
        done = run_writer(url, deadline)
        age_everything(tmp_path / "store" / "tmp")
        with open_store(url) as store:
            assert list((tmp_path / "store" / "tmp").iterdir()) == []
            assert list(store.fsck(full=True)) == []
            commits = list(store.list_commits("images", branch="master"))
            reader = store.read("images", "master")
            assert reader.open("/old").read() == b"old"
            assert reader.usage("/") == ((1, 3) if len(commits) == 1 else (13, 1_200_003))
            committed = len(commits)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert deadline - 1 == int(done.stdout)
    assert deadline > 15
    assert committed >= 2


def test_a_put_that_was_killed_goes_on_from_the_packs_that_it_had_written(tmp_path: Path) -> None:
    data = [os.urandom(250_000) for _ in range(8)]
    (tmp_path / "data").mkdir()
    for number, content in enumerate(data):
        (tmp_path / "data" / str(number)).write_bytes(content)
    script = (
        "import os, signal, sys, time\n"
        "from pathlib import Path\n"
        "from jupyter_dvmount.store import open_store\n"
        "from jupyter_dvmount.store.embedded.packs import pack\n"
        "pack.TARGET = 400_000\n"
        "files = [(path.name, path) for path in sorted(Path(sys.argv[2]).iterdir())]\n"
        "store = open_store(sys.argv[1])\n"
        "from sqlalchemy import func, select\n"
        "from jupyter_dvmount.store.embedded.catalog.schema import chunks\n"
        "def count():\n"
        "    with store._catalog.read() as connection:\n"
        "        return connection.execute(select(func.count()).select_from(chunks)).scalar_one()\n"
        "with store.modify('images', 'master') as writer:\n"
        "    writer.put_tree('/', files)\n"
        "    while count() < 4: time.sleep(0.01)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    url = (tmp_path / "store").as_uri()
    with open_store(url) as store:
        store.create_repo("images")
        killed = subprocess.run([sys.executable, "-c", script, url, str(tmp_path / "data")], check=False)
        assert killed.returncode == -signal.SIGKILL
        kept = stored(tmp_path)
        with store.modify("images", "master") as writer:
            writer.put_tree("/", [(path.name, path) for path in sorted((tmp_path / "data").iterdir())])
        assert stored(tmp_path) - kept < 4 * 250_000 + 10_000
        for number, content in enumerate(data):
            assert store.read("images", "master").open(f"/{number}").read() == content


def stored(tmp_path: Path) -> int:
    return sum(path.stat().st_size for path in (tmp_path / "store" / "packs").iterdir())


def test_a_reader_process_never_writes_to_the_catalog(tmp_path: Path) -> None:
    url = (tmp_path / "store").as_uri()
    with open_store(url) as store:
        store.create_repo("images")
        with store.modify("images", "master") as writer:
            writer.put("/a", bytes(500_000))
    catalog = tmp_path / "store" / "catalog.sqlite"
    before = catalog.read_bytes(), catalog.stat().st_mtime_ns
    with open_store(url, create=False) as store:
        reader = store.read("images", "master")
        assert reader.open("/a").read() == bytes(500_000)
        assert [file.name for file in reader.list()] == ["a"]
        store.changes(0)
    assert (catalog.read_bytes(), catalog.stat().st_mtime_ns) == before


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_put_leaves_no_temporary_file_behind(tmp_path: Path, stop: signal.Signals) -> None:
    script = (
        "import os, signal, sys\n"
        "from jupyter_dvmount.store import open_store\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))\n"
        "with open_store(sys.argv[1]).modify('images', 'master') as writer:\n"
        "    writer.put('/a', os.urandom(100_000))\n"
        f"    os.kill(os.getpid(), {int(stop)})\n"
    )
    url = (tmp_path / "store").as_uri()
    with open_store(url) as store:
        store.create_repo("images")
        done = subprocess.run([sys.executable, "-c", script, url], capture_output=True, check=False)
        assert done.returncode != 0
        assert list((tmp_path / "store" / "tmp").iterdir()) == []
        assert list((tmp_path / "store" / "packs").iterdir()) == []
        assert list(store.list_branches("images")) == []
