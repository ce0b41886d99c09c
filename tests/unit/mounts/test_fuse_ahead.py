"""Reading ahead: what is prepared for whom, and what is not."""

from __future__ import annotations

import random

from dvmount_fuse.ahead import READERS, Readers
from jupyter_dvmount.store import Unavailable

from .test_fuse_filesystem import ROOT, at


def prepared(readers: Readers, ids) -> list[int]:
    return [each for id_ in ids for each in readers.next_of(id_)]


def test_who_reads_on_finds_every_file_prepared_once():
    told = prepared(Readers(), range(1000, 2000))
    assert told == list(range(1002, 1002 + len(told)))
    assert 1002 + len(told) >= 2000


def test_little_is_prepared_for_who_has_only_begun():
    assert len(prepared(Readers(), [7])) == 0
    assert len(prepared(Readers(), [7, 8])) <= 8


def test_what_is_prepared_stays_bounded_however_far_somebody_reads():
    readers = Readers()
    for id_ in range(5000):
        told = readers.next_of(id_)
        assert not told or told.stop - id_ <= 65


def test_who_reads_at_random_costs_nothing():
    ids = random.Random(1).sample(range(0, 2_000_000, 20), 2000)
    assert prepared(Readers(), ids) == []


def test_who_reads_a_file_again_and_again_costs_nothing():
    assert prepared(Readers(), [50] * 100) == []


def test_readers_side_by_side_do_not_disturb_each_other():
    readers, starts = Readers(), range(0, READERS * 10_000, 10_000)
    told = prepared(readers, (start + step for step in range(100) for start in starts))
    assert len(told) == len(set(told))
    assert {start + step for start in starts for step in range(2, 100)} <= set(told)


def test_threads_that_share_a_directory_need_not_come_in_order():
    chance = random.Random(2)
    ids = [id_ for start in range(0, 400, 4) for id_ in chance.sample(range(start, start + 4), 4)]
    told = prepared(Readers(), ids)
    assert len(told) == len(set(told))
    assert set(range(20, 400)) <= set(told)


def test_neighbours_that_cannot_be_prepared_are_nobodys_trouble(filesystem, reader, monkeypatch):
    asked = []

    def fail(*wanted):
        asked.append(wanted)
        raise Unavailable("the store does not answer")

    monkeypatch.setattr(reader, "prepare", fail)
    for name in ("00", "01", "02"):
        reader.files[f"/row/{name}"] = name.encode()
    for name in ("00", "01", "02"):
        id_ = at(filesystem, f"{ROOT}/row/{name}")
        assert b"".join(filesystem.read(id_, 0, 10)) == name.encode()
        filesystem.read_on(id_)
    assert asked
