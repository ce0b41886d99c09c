"""The disk is asked ahead of who reads on through a pack, and of nobody else."""

from __future__ import annotations

import random

import pytest

from jupyter_dvmount.store.embedded.blobs import local
from jupyter_dvmount.store.embedded.blobs.local import AHEAD, LocalBlobs

SIZE = 24 << 20


@pytest.fixture
def content():
    return random.Random(1).randbytes(SIZE)


@pytest.fixture
def blobs(tmp_path, content):
    (tmp_path / "packs").mkdir()
    (tmp_path / "packs" / "a").write_bytes(content)
    made = LocalBlobs(tmp_path)
    yield made
    made.close()


@pytest.fixture
def asked(monkeypatch):
    ranges = []
    monkeypatch.setattr(local, "_read_soon", lambda _fd, offset, length: ranges.append((offset, length)))
    return ranges


def test_who_reads_on_is_kept_ahead_of_without_a_gap(blobs, content, asked):
    for offset in range(0, SIZE, 200_000):
        assert blobs.read("packs/a", offset, 200_000) == content[offset : offset + 200_000]
        if offset:
            reached = sum(asked[-1])
            assert offset + 200_000 + AHEAD // 2 <= reached <= offset + 200_000 + 2 * AHEAD
    ends = [start + length for start, length in asked]
    assert [start for start, _ in asked[1:]] == ends[:-1]


def test_who_reads_here_and_there_is_not_read_ahead_for(blobs, content, asked):
    chance = random.Random(2)
    for _ in range(50):
        offset = chance.randrange(0, SIZE, 3 << 20)
        assert blobs.read("packs/a", offset, 20_000) == content[offset : offset + 20_000]
    assert asked == []
