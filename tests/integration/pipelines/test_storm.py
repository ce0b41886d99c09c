"""Everything that can be killed is, at random moments: some seconds of ``python -m tests.storm``."""

from __future__ import annotations

from pathlib import Path

from tests.storm.storm import OF_DASK, VICTIMS, Storm

SECONDS = 5.0


def test_nothing_is_lost_or_done_twice_whatever_is_killed_and_when(tmp_path: Path) -> None:
    storm = Storm(tmp_path, seed=5, tier="plain", jobs="")
    storm.rage(SECONDS, [*VICTIMS])
    storm.check()
    assert storm.killed


def test_nor_on_dask_whatever_is_killed_there(tmp_path: Path) -> None:
    storm = Storm(tmp_path, seed=6, tier="plain", jobs="", on_dask=True)
    storm.rage(2 * SECONDS, [*OF_DASK, "controller"])
    storm.check()
    assert storm.killed
