"""What goes across repositories, against a plain model: commit sets, provenance, triggers, projects."""

from __future__ import annotations

import shutil
import tempfile
from copy import deepcopy
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jupyter_dvmount.store import (
    AlreadyExists,
    CommitRef,
    Conflict,
    Invalid,
    NotFound,
    Trigger,
    VersionStore,
    open_store,
    rebuild_store,
)
from tests.unit.store import model

REPOS = st.sampled_from(["r", "p/d"])
BRANCHES = st.sampled_from(["master", "dev", "side"])
PROJECTS = st.sampled_from(["p", "q"])


class SetsMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.store = self.open()
        self.model = model.StoreModel({"r": model.RepoModel(), "p/d": model.RepoModel()})
        for repo in self.model.repos:
            self.store.create_repo(repo)
        self.projects = {"default", "p"}
        self.names = (f"/{number}" for number in count())

    def open(self) -> VersionStore:
        return open_store((self.directory / "store").as_uri())

    def teardown(self) -> None:
        self.files_and_provenance_agree()
        assert list(self.store.fsck(full=True)) == []
        self.store.close()
        shutil.rmtree(self.directory)

    def refused(self, error, change, *args, **options) -> None:
        try:
            change(*args, **options)
        except error:
            return
        raise AssertionError(f"{change.__name__} {args} was not refused")

    @initialize(chained=st.sampled_from([(), ("r",), ("r", "p/d")]), runs=st.integers(0, 4))
    def begin(self, chained, runs) -> None:
        """Triggers that follow each other, and commits that come after each other, are too rare a find."""
        for _ in range(runs):
            self.run("master", False)
        for repo in chained:
            for branch, watched in (("dev", "master"), ("side", "dev")):
                self.trigger(repo, branch, watched, 1)

    @rule(lost=st.booleans())
    def close_and_open_again(self, lost) -> None:
        url = self.store.url
        self.store.close()
        if lost:  # the journal has to tell of every row
            assert list(rebuild_store(url)) == []
        self.store = self.open()

    @rule(repo=REPOS, branch=BRANCHES)
    def modify(self, repo, branch) -> None:
        files = self.model.repos[repo].base(branch)
        files[path := next(self.names)] = b""
        with self.store.modify(repo, branch) as writer:
            writer.put(path, b"")
        self.model.commit(repo, branch, writer.commit.id, files)

    @rule(branch=BRANCHES, failed=st.booleans())
    def run(self, branch, failed) -> None:
        """A change, and what a pipeline makes of it."""
        one = self.model.repos
        if branch in one["r"].open or branch in one["p/d"].open:
            return
        self.modify("r", branch)
        id_ = one["r"].heads[branch]
        self.store.start_commit("p/d", branch, id=id_, provenance=[CommitRef("r", id_)])
        self.model.start("p/d", branch, id_, {("r", id_)})
        self.finish("p/d", branch, failed)

    @rule(repo=REPOS, branch=BRANCHES, data=st.data())
    def start(self, repo, branch, data) -> None:
        finished = [(name, id_) for name, one in self.model.repos.items() for id_ in one.commits]
        upstream = data.draw(st.lists(st.sampled_from(finished), max_size=3)) if finished else []
        id_ = data.draw(st.sampled_from([None, *self.model.sets()]))
        options = {"id": id_, "provenance": [CommitRef(*key) for key in upstream]}
        if (repo, id_) in self.model.order:
            self.refused(AlreadyExists, self.store.start_commit, repo, branch, **options)
        elif branch in self.model.repos[repo].open:
            self.refused(Conflict, self.store.start_commit, repo, branch, **options)
        else:
            started = self.store.start_commit(repo, branch, **options)
            self.model.start(repo, branch, started.id, set(upstream))

    @rule(repo=REPOS, branch=BRANCHES, failed=st.booleans())
    def finish(self, repo, branch, failed) -> None:
        if branch not in self.model.repos[repo].open:
            self.refused(NotFound, self.store.finish_commit, repo, branch)
            return
        finished = self.store.finish_commit(repo, branch, error="failed" if failed else "")
        assert finished.id == self.model.finish(repo, branch, failed=failed)

    @rule(repo=REPOS, branch=BRANCHES, data=st.data())
    def move_branch(self, repo, branch, data) -> None:
        one = self.model.repos[repo]
        if not one.commits:
            return
        head = data.draw(st.sampled_from(list(one.commits)))
        if branch in one.open:
            self.refused(Conflict, self.store.create_branch, repo, branch, head=head)
        else:
            self.store.create_branch(repo, branch, head=head)
            self.model.move(repo, branch, head)

    @rule(repo=REPOS, branch=BRANCHES)
    def delete_branch(self, repo, branch) -> None:
        one = self.model.repos[repo]
        if branch in one.heads and branch not in one.open:
            self.store.delete_branch(repo, branch)
            del one.heads[branch]
            self.model.triggers.pop((repo, branch), None)

    @rule(repo=REPOS, branch=BRANCHES, watched=BRANCHES, commits=st.integers(1, 3))
    def trigger(self, repo, branch, watched, commits) -> None:
        trigger = Trigger(branch=watched, commits=commits)
        try:
            self.model.watch(repo, branch, watched, commits)
        except model.Refused:
            self.refused(Invalid, self.store.create_branch, repo, branch, trigger=trigger)
        else:
            self.store.create_branch(repo, branch, trigger=trigger)

    @rule(data=st.data())
    def squash(self, data) -> None:
        self.remove(data, self.model.squash, self.store.squash_commit_set)

    @rule(data=st.data())
    def drop(self, data) -> None:
        self.remove(data, self.model.drop, self.store.drop_commit_set)

    def remove(self, data, in_model, in_store) -> None:
        """Remove a set, and as often one that can be removed as any."""
        ids = list(self.model.sets())
        possible = [id_ for id_ in ids if self.is_possible(in_model.__name__, id_)]
        if not ids:
            return
        id_ = data.draw(st.sampled_from(possible or ids) | st.sampled_from(ids))
        if id_ in possible:
            in_store(id_)
            in_model(id_)
        else:
            self.refused(Conflict, in_store, id_)

    def is_possible(self, verb, id_) -> bool:
        try:
            getattr(deepcopy(self.model), verb)(id_)
        except model.Refused:
            return False
        return True

    @rule(project=PROJECTS, action=st.sampled_from(["create", "delete", "use"]))
    def project(self, project, action) -> None:
        if action == "use":  # a repository comes and goes, its project stays
            self.store.create_repo(f"{project}/r")
            self.projects.add(project)
            self.refused(Conflict, self.store.delete_project, project)
            self.store.delete_repo(f"{project}/r")
        elif action == "create" and project in self.projects:
            self.refused(AlreadyExists, self.store.create_project, project)
        elif action == "create":
            self.store.create_project(project)
            self.projects.add(project)
        elif project not in self.projects:
            self.refused(NotFound, self.store.delete_project, project)
        elif project == "p":
            self.refused(Conflict, self.store.delete_project, project)
        else:
            self.store.delete_project(project)
            self.projects.remove(project)

    @invariant()
    def projects_agree(self) -> None:
        assert {project.name for project in self.store.list_projects()} == self.projects

    @invariant()
    def branches_agree(self) -> None:
        for repo, one in self.model.repos.items():
            branches = {branch.name: branch for branch in self.store.list_branches(repo)}
            assert {name: branch.head for name, branch in branches.items()} == one.heads
            assert {name: branch.open for name, branch in branches.items() if branch.open} == one.open
            for name, branch in branches.items():
                held = branch.trigger and (branch.trigger.branch, branch.trigger.commits)
                assert held == self.model.triggers.get((repo, name))

    @invariant()
    def commits_agree(self) -> None:
        for repo, one in self.model.repos.items():
            listed = {commit.id: commit for commit in self.store.list_commits(repo)}
            assert {id_: commit.parent for id_, commit in listed.items()} == one.parents
            for id_, commit in listed.items():
                assert (commit.state == "finished") == (id_ in one.commits)
                assert bool(commit.error) == ((repo, id_) in self.model.failed)
                assert {(ref.repo, ref.id) for ref in commit.provenance} == self.model.upstream[repo, id_]

    def files_and_provenance_agree(self) -> None:
        downstream = self.model.downstream()
        for key in self.model.order:
            for found, links in (
                (self.store.provenance(*key), self.model.upstream),
                (self.store.subvenance(*key), downstream),
            ):
                assert {(each.repo, each.id) for each in found} == self.model.reach(key, links)
            files = self.model.repos[key[0]].commits.get(key[1])
            if files is not None:
                assert {file.path for file in self.store.read(*key).walk()} == set(files)

    @invariant()
    def sets_agree(self) -> None:
        expected = self.model.sets()
        listed = list(self.store.list_commit_sets(limit=100))
        assert [each.id for each in listed] == list(expected)[::-1]
        for each in listed:
            assert [(ref.repo, ref.id) for ref in each.commits] == expected[each.id]
            is_finished = all(each.id in self.model.repos[repo].commits for repo, _ in expected[each.id])
            assert (each.state == "finished") == is_finished


SetsMachine.TestCase.settings = settings(
    max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSetsAreWhatTheModelSays = SetsMachine.TestCase
