"""The store against a plain model of it, in any order of operations, closed and opened again between them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from jupyter_dvmount.store import (
    AlreadyExists,
    CommitFinished,
    Conflict,
    Invalid,
    NotFound,
    VersionStore,
    open_store,
)
from tests.unit.store import model

NAMES = st.sampled_from(["a", "b", "c", "ä", "a b", "*"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(lambda names: "/" + "/".join(names))
BRANCHES = st.sampled_from(["master", "dev"])
CONTENTS = st.one_of(
    st.binary(max_size=20),
    st.integers(200_000, 600_000).map(lambda size: bytes([size % 251]) * size),  # around and above one chunk
)
CHANGES = st.one_of(
    st.tuples(st.just("put"), PATHS, CONTENTS),
    st.tuples(st.just("append"), PATHS, CONTENTS),
    st.tuples(st.just("delete"), PATHS, st.none()),
)


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.store = self.open()
        self.store.create_repo("r")
        self.model = model.RepoModel()

    def open(self) -> VersionStore:
        return open_store((self.directory / "store").as_uri())

    def teardown(self) -> None:
        assert list(self.store.fsck(full=True)) == []
        self.store.close()
        shutil.rmtree(self.directory)

    @rule()
    def close_and_open_again(self) -> None:
        self.store.close()
        self.store = self.open()

    @rule(branch=BRANCHES, changes=st.lists(CHANGES, max_size=4))
    def modify(self, branch, changes) -> None:
        files = self.model.base(branch)
        with self.store.modify("r", branch) as writer:
            for action, path, data in changes:
                try:
                    if action == "delete":
                        model.delete(files, path)
                    else:
                        model.put(files, path, data, append=action == "append")
                except model.Refused:
                    expected = NotFound if action == "delete" else Invalid
                    try:
                        self.apply(writer, action, path, data)
                    except expected:
                        continue
                    raise AssertionError(f"{action} {path} was not refused") from None
                self.apply(writer, action, path, data)
        self.model.commit(branch, writer.commit.id, files)

    def apply(self, writer, action, path, data) -> None:
        if action == "delete":
            writer.delete(path)
        else:
            writer.put(path, data, append=action == "append")

    @rule(branch=BRANCHES, change=CHANGES)
    def a_block_that_fails_changes_nothing(self, branch, change) -> None:
        try:
            with self.store.modify("r", branch) as writer:
                self.apply(writer, *change)
                raise ZeroDivisionError
        except (ZeroDivisionError, NotFound, Invalid):
            pass

    @rule(branch=BRANCHES, old=PATHS, new=PATHS, data=st.data())
    def copy(self, branch, old, new, data) -> None:
        if not self.model.commits:
            return
        source = data.draw(st.sampled_from(list(self.model.commits)))
        files = self.model.base(branch)
        try:
            model.copy(files, self.model.commits[source], old, new)
        except model.Refused:
            return
        with self.store.modify("r", branch) as writer:
            writer.copy("r", source, old, new)
        self.model.commit(branch, writer.commit.id, files)

    @rule(branch=BRANCHES)
    def start(self, branch) -> None:
        try:
            started = self.store.start_commit("r", branch)
        except Conflict:
            assert branch in self.model.open
        else:
            assert branch not in self.model.open
            self.model.start(branch, started.id)

    @rule(branch=BRANCHES)
    def finish(self, branch) -> None:
        try:
            finished = self.store.finish_commit("r", branch)
        except NotFound:
            assert branch not in self.model.open
        else:
            assert finished.id == self.model.finish(branch)

    @rule(branch=BRANCHES)
    def drop(self, branch) -> None:
        try:
            self.store.drop_commit("r", branch)
        except NotFound:
            assert branch not in self.model.open
        else:
            self.model.drop(branch)

    @rule(data=st.data(), branch=st.sampled_from(["master", "dev", "side"]))
    def move_branch(self, data, branch) -> None:
        if not self.model.commits:
            return
        head = data.draw(st.sampled_from(list(self.model.commits)))
        try:
            self.store.create_branch("r", branch, head=head)
        except Conflict:
            assert branch in self.model.open
        else:
            self.model.heads[branch] = head

    @rule(branch=BRANCHES)
    def delete_branch(self, branch) -> None:
        try:
            self.store.delete_branch("r", branch)
        except NotFound:
            assert branch not in self.model.heads
        except Conflict:
            assert branch in self.model.open
        else:
            assert branch not in self.model.open
            del self.model.heads[branch]

    @rule(data=st.data(), change=CHANGES)
    def a_finished_commit_cannot_change(self, data, change) -> None:
        if not self.model.commits:
            return
        id_ = data.draw(st.sampled_from(list(self.model.commits)))
        try:
            with self.store.modify("r", id_):
                raise AssertionError("a finished commit was opened for writing")
        except CommitFinished:
            pass

    @rule(data=st.data())
    def diff(self, data) -> None:
        if not self.model.commits:
            return
        ids = st.sampled_from(list(self.model.commits))
        old, new = data.draw(ids), data.draw(ids)
        before, after = self.model.commits[old], self.model.commits[new]
        expected = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        entries = list(self.store.diff("r", new, "r", old))
        files = {e.path for e in entries if "file" in {e.old and e.old.type, e.new and e.new.type}}
        assert files == expected
        assert {e.path for e in entries} - files == (
            model.directories(before) ^ model.directories(after)
        ) - expected

    @rule()
    def names_are_taken_once(self) -> None:
        try:
            self.store.create_repo("r")
        except AlreadyExists:
            return
        raise AssertionError

    @invariant()
    def branches_agree(self) -> None:
        branches = {branch.name: branch for branch in self.store.list_branches("r")}
        assert {name: branch.head for name, branch in branches.items()} == self.model.heads
        assert {name: branch.open for name, branch in branches.items() if branch.open} == self.model.open

    @invariant()
    def heads_read_back(self) -> None:
        for branch, head in self.model.heads.items():
            if head is not None:
                self.check_commit(self.store.read("r", branch), self.model.commits[head])
                assert [c.id for c in self.store.list_commits("r", branch=branch)] == self.model.history(
                    branch
                )

    def check_commit(self, reader, files: model.Files) -> None:
        entries = list(reader.walk())
        assert {e.path for e in entries if e.type == "dir"} == model.directories(files)
        assert {e.path: e.size for e in entries if e.type == "file"} == {p: len(d) for p, d in files.items()}
        assert reader.usage() == (len(files), sum(map(len, files.values())))
        assert (reader.commit.files, reader.commit.size) == reader.usage()
        for path, data in files.items():
            with reader.open(path) as stream:
                assert stream.read() == data


StoreMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestTheStoreIsWhatTheModelSays = StoreMachine.TestCase
