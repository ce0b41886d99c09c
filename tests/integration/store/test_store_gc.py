"""Collections of garbage in a directory: packs nobody knows, and kill -9 at every boundary."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from jupyter_dvmount.store import VersionStore
from jupyter_dvmount.store.embedded.blobs import LocalBlobs
from jupyter_dvmount.store.embedded.gc import packing


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def put(store: VersionStore, path: str, data: bytes) -> None:
    with store.modify("images", "master") as writer:
        writer.put(path, data)


def test_a_pack_that_no_catalog_knows_is_deleted_when_it_is_old(store: VersionStore, tmp_path: Path) -> None:
    packs = tmp_path / "store" / "packs"
    for name, age in (("0" * 32, 7200), ("1" * 32, 60)):
        (packs / name).write_bytes(b"DVMPACK1")
        os.utime(packs / name, (time.time() - age,) * 2)
    assert store.gc(grace=0).packs_removed == 1
    assert [path.name for path in packs.iterdir()] == ["1" * 32]


def test_a_collection_killed_anywhere_is_finished_by_the_next(store: VersionStore, tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "store")
    for step in range(1, 60):
        store.create_repo("other")
        with store.modify("other", "master") as writer:
            writer.put("/a", noise(1000 + step, 300_000))
        put(store, f"/kept{step % 3}", noise(step, 1000))
        store.delete_repo("other", force=True)
        script = (
            "import os, sys\n"
            "from sqlalchemy import event\n"
            "from jupyter_dvmount.store import open_store\n"
            "store, left = open_store(sys.argv[1]), int(sys.argv[2])\n"
            "def boundary(connection):\n"
            "    global left\n"
            "    left -= 1\n"
            "    if not left: os.kill(os.getpid(), 9)\n"
            "event.listen(store._catalog._engine, 'commit', boundary)\n"
            "event.listen(store._catalog._engine, 'begin', boundary)\n"
            "store.gc(grace=0)\n"
        )
        done = subprocess.run([sys.executable, "-c", script, store.url, str(step)], check=False)
        store.gc(grace=0)
        assert list(store.fsck(full=True)) == []
        assert len(list(blobs.list("packs/"))) <= 2 * packing._MANY + 2
        if done.returncode == 0:
            return
        assert done.returncode == -signal.SIGKILL
    raise AssertionError("it never ended")
