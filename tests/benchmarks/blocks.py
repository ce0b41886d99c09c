"""What size of block suits the cache of a store on S3: read through blocks of several sizes, 20 ms away.

Run as ``tests/services/radosgw python -m tests.benchmarks.blocks`` (or without radosgw, against moto).
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from jupyter_dvmount.store.embedded.blobs import ahead, cache
from jupyter_dvmount.store.embedded.blobs.s3.address import parse_address
from jupyter_dvmount.store.embedded.blobs.s3.blobs import S3Blobs
from jupyter_dvmount.store.embedded.machine.diskcache import DiskCache
from tests.services.proxy import proxied
from tests.services.s3 import running_s3

LATENCY = 0.020
PACK = 32 << 20
PACKS = 4
SMALL = 20 << 10
SIZES = [256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20]
AHEAD = 8 << 20
"""Bytes ahead of a reader, whatever the size of the blocks."""


def sequential(blobs: cache.CachedBlobs) -> int:
    """One reader goes through two packs in chunks of 256 KiB."""
    for pack in range(2):
        for offset in range(0, PACK, 256 << 10):
            blobs.read(f"packs/{pack}", offset, 256 << 10)
    return 2 * PACK


def scattered(blobs: cache.CachedBlobs) -> int:
    """200 files of 20 KiB, anywhere in all packs."""
    rng = random.Random(1)
    for _ in range(200):
        blobs.read(f"packs/{rng.randrange(PACKS)}", rng.randrange(PACK - SMALL), SMALL)
    return 200 * SMALL


def in_order(blobs: cache.CachedBlobs) -> int:
    """Every tenth of the files of 20 KiB of two packs, in their order."""
    for pack in range(2):
        for offset in range(0, PACK, 10 * SMALL):
            blobs.read(f"packs/{pack}", offset, SMALL)
    return 2 * PACK // 10


def measure(blobs: S3Blobs, size: int, work: Callable[[cache.CachedBlobs], int]) -> float:
    """Seconds that the work takes with a cold cache, the best of three."""
    cache.BLOCK, ahead.WINDOW = size, max(AHEAD // size, 2)
    times = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as directory:
            start = time.perf_counter()
            work(cache.CachedBlobs(blobs, DiskCache(Path(directory), 1 << 30)))
            times.append(time.perf_counter() - start)
            time.sleep(0.5)  # what was fetched ahead and is not read
    return min(times)


def main() -> None:
    """Print a table."""
    with running_s3() as server, proxied(server.endpoint) as proxy, tempfile.TemporaryDirectory() as staging:
        bucket = server.new_bucket()
        data = random.Random(0).randbytes(PACK)
        for pack in range(PACKS):
            server.client().put_object(Bucket=bucket, Key=f"packs/{pack}", Body=data)
        proxy.latency = LATENCY
        blobs = S3Blobs(parse_address(f"s3://{bucket}?endpoint={proxy.endpoint}"), Path(staging))
        for size in SIZES:
            row = [f"{measure(blobs, size, work):7.2f} s" for work in (sequential, scattered, in_order)]
            sys.stdout.write(f"{size >> 10:5} KiB {' '.join(row)}\n")
            sys.stdout.flush()
        blobs.close()
        server.remove_bucket(bucket)


if __name__ == "__main__":
    main()
