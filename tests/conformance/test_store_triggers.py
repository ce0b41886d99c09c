"""Branches that take over the head of another one when enough has happened there."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest

from jupyter_dvmount.store import Conflict, Invalid, Trigger, VersionStore

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Clock:
    """The clock of the triggers, which goes where it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = NOON
        for module in ("heads", "triggers"):
            monkeypatch.setattr(f"jupyter_dvmount.store.embedded.commits.{module}.now", self.micros)

    def micros(self) -> int:
        return (self.time - _EPOCH) // timedelta(microseconds=1)

    def to(self, hour: int, minute: int = 0, *, days: int = 0) -> None:
        """A time of the first day, or so many days later."""
        self.time = NOON.replace(hour=hour, minute=minute) + timedelta(days=days)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def put(store: VersionStore, path: str = "/n", size: int = 1, branch: str = "staging") -> str:
    with store.modify("images", branch) as writer:
        writer.put(path, bytes(size))
    return writer.commit.id


def head(store: VersionStore, branch: str = "master") -> str | None:
    return store.inspect_branch("images", branch).head


def trigger(store: VersionStore, branch: str = "master", watched: str = "staging", **conditions) -> None:
    store.create_branch("images", branch, trigger=Trigger(branch=watched, **conditions))


def test_a_trigger_without_a_condition_fires_at_once(store: VersionStore) -> None:
    trigger(store)
    assert head(store) is None
    assert put(store) == head(store)
    store.start_commit("images", "staging")
    before = head(store)
    with store.modify("images", "staging") as writer:
        writer.put("/b", b"b")
    assert head(store) == before, "an open commit is no head"
    assert store.finish_commit("images", "staging").id == head(store)
    put(store, branch="elsewhere")
    assert head(store) == head(store, "staging")


def test_a_trigger_is_shown_with_its_branch_and_not_with_others(store: VersionStore) -> None:
    wanted = Trigger(branch="staging", size=10, commits=3, cron="@daily", rate_limit=1.5, all=True)
    assert store.create_branch("images", "master", trigger=wanted).trigger == wanted
    put(store)
    assert {b.name: b.trigger for b in store.list_branches("images")} == {"master": wanted, "staging": None}


def test_so_many_commits_fire(store: VersionStore) -> None:
    trigger(store, commits=3)
    assert [put(store, f"/{n}") == head(store) for n in range(7)] == [False, False, True] * 2 + [False]


def test_only_commits_that_are_new_count(store: VersionStore) -> None:
    first, second, third = (put(store, f"/{n}") for n in range(3))
    store.create_branch("images", "master", head=second)
    trigger(store, commits=2)
    store.create_branch("images", "staging", head=first)
    assert head(store) == second, "what it has already is nothing new"
    store.create_branch("images", "staging", head=third)
    assert head(store) == second
    side = [put(store, f"/side/{n}", branch="side") for n in range(2)]
    store.create_branch("images", "staging", head=side[1])
    assert head(store) == side[1], "two commits that do not come after the old head"


def test_so_many_bytes_fire(store: VersionStore) -> None:
    trigger(store, size=1000)
    put(store, "/a", 400)
    put(store, "/b", 500)
    assert head(store) is None
    third = put(store, "/c", 100)
    assert head(store) == third
    put(store, "/a", 900)
    with store.modify("images", "staging") as writer:
        writer.delete("/b")
    assert head(store) == third, "900 bytes were changed; what is gone does not count"
    assert put(store, "/d", 100) == head(store)


def test_bytes_are_counted_for_every_way_in_which_a_branch_moves(store: VersionStore) -> None:
    trigger(store, size=700_000)
    small = put(store, "/a", 300_000)
    large = put(store, "/b", 500_000)
    assert head(store) == large
    store.create_branch("images", "staging", head=small)
    assert head(store) == large
    started = store.start_commit("images", "staging")
    put(store, "/c", 800_000)
    assert store.finish_commit("images", "staging").id == started.id == head(store)
    store.delete_branch("images", "master")
    trigger(store, size=700_000)
    store.create_branch("images", "staging", head=large)
    assert head(store) == large


def test_any_condition_is_enough_unless_all_are_wanted(store: VersionStore) -> None:
    trigger(store, "any", size=1000, commits=2)
    trigger(store, "all", size=1000, commits=2, all=True)
    first = put(store, "/a", 1000)
    assert (head(store, "any"), head(store, "all")) == (first, None)
    second = put(store, "/b", 1)
    assert (head(store, "any"), head(store, "all")) == (first, second)


def test_a_rate_limit_lets_time_pass_between_two_firings(store: VersionStore, clock: Clock) -> None:
    trigger(store, rate_limit=3600.0)
    first = put(store)
    assert head(store) == first
    clock.to(12, 59)
    put(store)
    assert head(store) == first
    clock.to(13)
    assert put(store) == head(store)


def test_a_cron_trigger_fires_once_for_each_of_its_times(store: VersionStore, clock: Clock) -> None:
    trigger(store, cron="0 9 * * *")
    put(store)
    clock.to(23, 59)
    put(store)
    assert head(store) is None, "its time has not come yet"
    clock.to(12, days=1)
    first = put(store)
    assert head(store) == first
    clock.to(8, 59, days=2)
    put(store)
    assert head(store) == first
    clock.to(9, days=2)
    assert put(store) == head(store)


@pytest.mark.parametrize("back", [timedelta(minutes=10), timedelta(hours=3), timedelta(hours=20)])
def test_a_clock_set_back_fires_nothing_twice(store: VersionStore, clock: Clock, back: timedelta) -> None:
    trigger(store, cron="0 9 * * *")
    clock.to(12, days=1)
    first = put(store)
    assert head(store) == first
    clock.time -= back
    for _ in range(2):
        put(store)
        assert head(store) == first
    clock.to(13, days=1)
    put(store)
    assert head(store) == first
    clock.to(12, days=2)
    assert put(store) == head(store)


@pytest.mark.parametrize("conditions", [{"cron": "0 9 * * *"}, {"rate_limit": 3600.0}])
def test_a_clock_that_was_far_ahead_does_not_silence_a_trigger(
    store: VersionStore, clock: Clock, conditions: dict
) -> None:
    clock.to(12, days=5000)
    trigger(store, **conditions)
    clock.time += timedelta(days=1)
    wrong = put(store)
    assert head(store) == wrong
    clock.time = NOON
    put(store)
    assert head(store) == wrong, "not at once: it may just have fired"
    clock.to(12, days=1)
    assert put(store) == head(store)


def test_chains_fire_in_one_transaction(store: VersionStore) -> None:
    trigger(store, "b", "a")
    trigger(store, "c", "b", commits=2)
    trigger(store, "d", "c")
    trigger(store, "e", "b")
    first = put(store, branch="a")
    assert [head(store, name) for name in "bcde"] == [first, None, None, first]
    start = store.changes()[0].seq
    second = put(store, branch="a")
    assert [head(store, name) for name in "bcde"] == [second] * 4
    assert [(c.kind, c.branch) for c in store.changes(start)] == [
        *(("branch", name) for name in "abced"),
        ("commit", "a"),
    ]


def test_a_branch_cannot_trigger_itself(store: VersionStore) -> None:
    trigger(store, "b", "a")
    trigger(store, "c", "b")
    for name, chain in {"a": "a after c after b after a", "b": "b after c after b"}.items():
        with pytest.raises(Invalid, match=f"would trigger itself: {chain}"):
            trigger(store, name, "c")
    with pytest.raises(Invalid, match="would trigger itself: x after x"):
        trigger(store, "x", "x")
    assert [branch.name for branch in store.list_branches("images")] == ["b", "c"]


@pytest.mark.parametrize(
    "conditions",
    [
        {"watched": "a b"},
        {"watched": ""},
        {"size": 0},
        {"size": -1},
        {"commits": 0},
        {"size": 1 << 63},
        {"commits": 1 << 63},
        {"rate_limit": 0.0},
        {"rate_limit": float("nan")},
        {"rate_limit": float("inf")},
        {"cron": "every day"},
        {"cron": "* * * * * *"},
        {"cron": "0 0 30 2 *"},
        {"cron": "@every 1h"},
    ],
)
def test_a_malformed_trigger_is_refused(store: VersionStore, conditions: dict) -> None:
    with pytest.raises(Invalid):
        trigger(store, **conditions)
    assert list(store.list_branches("images")) == []


def test_a_branch_with_an_open_commit_is_left_alone(store: VersionStore) -> None:
    trigger(store)
    store.start_commit("images", "master")
    staged = put(store)
    assert head(store) is None
    mine = store.finish_commit("images", "master").id
    assert head(store) == mine
    assert put(store) == head(store)
    store.start_commit("images", "master")
    with pytest.raises(Conflict):
        store.create_branch("images", "master", head=staged)
    trigger(store, commits=2)


def test_a_trigger_is_replaced_kept_or_goes_with_its_branch(store: VersionStore, clock: Clock) -> None:
    trigger(store, rate_limit=3600.0)
    first = put(store)
    trigger(store, rate_limit=3600.0)
    put(store)
    assert head(store) == first, "the same trigger again does not forget when it fired"
    store.create_branch("images", "master", head=first)
    assert store.inspect_branch("images", "master").trigger == Trigger(branch="staging", rate_limit=3600.0)
    trigger(store)
    assert put(store) == head(store)
    store.delete_branch("images", "master")
    store.create_branch("images", "master", head=first)
    put(store)
    assert head(store) == first


def test_dropping_a_commit_takes_triggered_branches_back_and_fires_nothing(store: VersionStore) -> None:
    trigger(store)
    trigger(store, "slow", commits=2)
    first, second = put(store), put(store)
    assert head(store, "slow") == second
    store.drop_commit_set(second)
    assert [head(store, name) for name in ("staging", "master", "slow")] == [first] * 3


def test_writers_in_several_processes_fire_every_time(store: VersionStore) -> None:
    script = (
        "import sys\n"
        "from jupyter_dvmount.store import open_store\n"
        "with open_store(sys.argv[1]) as store:\n"
        "    for number in range(8):\n"
        "        with store.modify('images', 'staging') as writer:\n"
        "            writer.put(f'/{sys.argv[2]}/{number}', b'1')\n"
    )
    trigger(store)
    trigger(store, "sized", size=4)
    running = [subprocess.Popen([sys.executable, "-c", script, store.url, who]) for who in "ab"]
    assert [process.wait(60) for process in running] == [0, 0]
    assert head(store) == head(store, "staging")
    assert head(store, "sized") == head(store, "staging"), "16 bytes are four times 4"
