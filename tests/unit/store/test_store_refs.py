"""References: branches before ids, exact names before suffixes, unique prefixes only."""

from __future__ import annotations

import pytest

from jupyter_dvmount.store import Invalid, NotFound, VersionStore


@pytest.fixture
def chain(store: VersionStore) -> list[str]:
    """Ids of five commits on master, oldest first."""
    ids = []
    for number in range(5):
        with store.modify("images", "master") as writer:
            writer.put("/n", b"%d" % number)
        ids.append(writer.commit.id)
    return ids


def found(store: VersionStore, ref: str) -> str:
    return store.inspect_commit("images", ref).id


def test_ancestors_are_counted_from_the_end_and_from_the_start(store: VersionStore, chain: list[str]) -> None:
    assert found(store, "master") == chain[4]
    assert found(store, "master^") == found(store, "master~1") == found(store, "master.4") == chain[3]
    assert found(store, "master^^") == found(store, "master^~1") == found(store, "master^2") == chain[2]
    assert found(store, "master~") == chain[3]
    assert found(store, "master^0") == chain[4]
    assert found(store, f"{chain[3][:8]}.2") == chain[1]
    assert found(store, "master~0") == found(store, "master.5") == chain[4]
    assert found(store, "master.1") == found(store, "master~4") == chain[0]
    assert found(store, f"{chain[2]}^") == found(store, f"{chain[2][:12]}~1") == chain[1]


@pytest.mark.parametrize(
    "ref", ["master~5", "master.6", "master.0", "master^^^^^", "master^5", f"master~{10**30}"]
)
def test_an_ancestor_that_is_not_there_is_not_found(store: VersionStore, chain: list[str], ref: str) -> None:
    with pytest.raises(NotFound, match=r"no commit 'master"):
        found(store, ref)


def test_a_branch_with_a_dot_is_a_branch_first(store: VersionStore, chain: list[str]) -> None:
    store.create_branch("images", "v1", head=chain[0])
    assert found(store, "v1.1") == chain[0]
    store.create_branch("images", "v1.1", head=chain[3])
    assert found(store, "v1.1") == chain[3]
    assert found(store, "v1.1^") == chain[2]


def test_a_branch_that_looks_like_a_prefix_is_a_branch_first(store: VersionStore, chain: list[str]) -> None:
    prefix = chain[0][:6]
    assert found(store, prefix) == chain[0]
    store.create_branch("images", prefix, head=chain[4])
    assert found(store, prefix) == chain[4]


def test_a_prefix_needs_four_digits(store: VersionStore, chain: list[str]) -> None:
    with pytest.raises(NotFound):
        found(store, chain[0][:3])


def test_an_ambiguous_prefix_names_the_candidates(
    store: VersionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Numbered:
        ids = iter(["abcd1" + "0" * 27, "abcd2" + "0" * 27])

        def __init__(self) -> None:
            self.hex = next(self.ids)

    with monkeypatch.context() as patch:
        patch.setattr("jupyter_dvmount.store.embedded.commits.history.uuid.uuid4", Numbered)
        first, second = (store.start_commit("images", branch).id for branch in ("one", "two"))
    with pytest.raises(Invalid, match="ambiguous") as caught:
        found(store, "abcd")
    assert first[:12] in caught.value.message
    assert second[:12] in caught.value.message
    assert found(store, "abcd2") == second


@pytest.mark.parametrize("ref", ["", "a b", "a/b", "..", ".", "master^x", "é", "a\n", "a;b"])
def test_a_malformed_reference_is_refused(store: VersionStore, ref: str) -> None:
    with pytest.raises(Invalid):
        found(store, ref)


def test_unknown_names_are_not_found(store: VersionStore) -> None:
    with pytest.raises(NotFound, match="no repo 'none'"):
        store.inspect_commit("none", "master")
    with pytest.raises(NotFound, match="no branch or commit 'none'"):
        found(store, "none")
    with pytest.raises(NotFound):
        found(store, "f" * 32)
    store.create_branch("images", "empty")
    with pytest.raises(NotFound, match="has no commit yet"):
        found(store, "empty")
