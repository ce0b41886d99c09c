"""Rows: a store on S3 that is mounted, beside ``rclone mount`` of the same files in the same bucket."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from tests.services.s3 import S3Server, running_s3

from . import data, reading
from .harness import Command, Harness
from .mounters import DvmountMount, Mounter, Rclone
from .peers import Dvmount
from .results import Goal

_PART = 0.05
"""Part of D1 that is put on S3: 1,000 files, as every one of them is a request to some programs."""
_BIG = 128 << 20
_BLOCK = 8 << 20
_READS = 200
FILES, BIG = "read 1,000 files of 20 KiB from S3", "read 128 MiB in a row from S3"
RANDOM = f"{_READS} random reads of 4 KiB from S3"
COLD, CACHED = "nothing cached", "cached on the local disk"
GOALS: list[Goal] = []


def run(harness: Harness) -> None:
    """Measure with an S3 server of moto's, or with the one that `tests.services.s3.ENDPOINT` names."""
    source = harness.work / "remote"
    data.make_d1(source / "d1", harness.scale * _PART)
    with (source / "big").open("wb") as file:
        for start in range(0, max(_BLOCK, round(_BIG * harness.scale)), _BLOCK):
            file.write(data.random_bytes("D2/0", _BLOCK, start))
    with running_s3() as server:
        harness.versions["S3 server"] = f"moto {version('moto')}" if server.pid else _what_answers(server)
        bucket = server.new_bucket()
        for kind in (_Dvmount, _Rclone, _RcloneCaching):
            mounter = kind(harness.work / kind.__name__, server.endpoint, bucket)
            if not mounter.available:
                harness.absent(f"{FILES}, {COLD}", mounter.name)
                continue
            harness.versions.setdefault(mounter.name.partition(",")[0], mounter.version())
            mounter.take(source)
            _Rows(harness, mounter).run()
            shutil.rmtree(mounter.place)
        server.remove_bucket(bucket)
    shutil.rmtree(source)


class _Rows:
    """The rows of one program; every run has a mount of its own."""

    def __init__(self, harness: Harness, mounter: Mounter) -> None:
        self._harness = harness
        self._mounter = mounter
        self._root = Path()

    def run(self) -> None:
        """Measure, first without and then with what the program keeps on the disk."""
        self._measure(FILES, lambda: reading.read_tree(self._root / "d1"))
        self._measure(BIG, lambda: reading.read_file(self._root / "big"))
        self._measure(RANDOM, lambda: reading.read_randomly(self._root / "big", _READS))
        self._mounter.down()

    def _measure(self, work: str, function: Callable[[], object]) -> None:
        for state, prepare in ((COLD, self._mount_afresh), (CACHED, self._mount)):
            name = f"{work}, {state}"
            self._harness.measure(name, self._mounter.name, function, prepare=prepare, cold=True)

    def _mount(self) -> None:
        self._mounter.down()
        self._root = self._mounter.up()

    def _mount_afresh(self) -> None:
        self._mounter.down()
        shutil.rmtree(self._mounter.place / "cache", ignore_errors=True)
        self._root = self._mounter.up()


def _what_answers(server: S3Server) -> str:
    answer = server.client().list_buckets()["ResponseMetadata"]["HTTPHeaders"]
    return answer.get("server", "") or "another than moto's"


class _DvmountPeer(Dvmount):
    """Packs in the bucket, catalog in a file."""

    endpoint = bucket = ""

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/store?endpoint={self.endpoint}&catalog=sqlite://{self.place}/catalog"

    def command(self, *words: str | Path) -> Command:
        command = super().command(*words)
        cache = str(self.place.parent / "cache")
        return Command(command.argv, {**command.env, "XDG_CACHE_HOME": cache})


class _Dvmount(DvmountMount):
    kind = _DvmountPeer
    peer: _DvmountPeer

    def __init__(self, place: Path, endpoint: str, bucket: str) -> None:
        super().__init__(place)
        self.peer.endpoint, self.peer.bucket = endpoint, bucket


class _Rclone(Rclone):
    """``rclone mount`` of a directory of the bucket, defaults: it keeps nothing on the disk."""

    def __init__(self, place: Path, endpoint: str, bucket: str) -> None:
        super().__init__(place)
        self._endpoint = endpoint
        self._bucket = bucket

    def take(self, source: Path) -> None:
        super().take(source)
        self.shown = f"bench:{self._bucket}/files"
        copy = ["rclone", "copy", str(source), self.shown]
        subprocess.run(copy, env={**os.environ, **self.settings}, check=True, capture_output=True)

    @property
    def settings(self) -> dict[str, str]:
        remote = {"TYPE": "s3", "PROVIDER": "Other", "ENV_AUTH": "true", "ENDPOINT": self._endpoint}
        named = {f"RCLONE_CONFIG_BENCH_{key}": value for key, value in remote.items()}
        return super().settings | named | {"AWS_CA_BUNDLE": ""}  # with one rclone 1.60 does not start


class _RcloneCaching(_Rclone):
    """The same with a cache on the disk."""

    name = "rclone, vfs cache"
    options = ("--vfs-cache-mode", "full")
