"""Repositories, branches and commits from the command line."""

from __future__ import annotations

from pathlib import Path

import click

from jupyter_dvmount.cli.verbs import PLAIN, VERBS, cli
from tests.integration.cli.command import Dvmount, Start


def test_a_repository_is_made_shown_and_deleted(dvmount: Dvmount) -> None:
    dvmount("create", "repo", "images", "-d", "to classify")
    assert dvmount.json("inspect", "repo", "images")["description"] == "to classify"
    assert [repo["name"] for repo in dvmount.json("list", "repo")] == ["images"]
    dvmount("delete", "repo", "images")
    assert dvmount.json("list", "repo") == []


def test_a_repository_with_commits_is_deleted_only_by_force(dvmount: Dvmount, images: str) -> None:
    assert "--force" in dvmount.error("delete", "repo", images) or "force" in dvmount.error(
        "delete", "repo", images
    )
    assert dvmount.commits() != []
    dvmount("delete", "repo", images, "--force")
    assert dvmount("list", "repo") == ""


def test_a_branch_points_where_it_is_told(dvmount: Dvmount, images: str) -> None:
    dvmount("put", "file", "images:/b.txt", stdin=b"beta")
    dvmount("create", "branch", "images@old", "--head", "master^")
    dvmount("create", "branch", "images@new", "--head", "images@master")
    newest, oldest = dvmount.commits()
    heads = {branch["name"]: branch["head"] for branch in dvmount.json("list", "branch", "images")}
    assert heads == {"master": newest, "new": newest, "old": oldest}
    assert dvmount.json("inspect", "branch", "images@old")["head"] == oldest
    dvmount("delete", "branch", "images@new")
    assert dvmount.json("inspect", "commit", f"images@{newest[:6]}")["id"] == newest


def test_a_branch_cannot_point_into_another_repository(dvmount: Dvmount, images: str) -> None:
    dvmount("create", "repo", "other")
    assert "other" in dvmount.error("create", "branch", "images@x", "--head", "other@master")
    assert [branch["name"] for branch in dvmount.json("list", "branch", "images")] == ["master"]


def test_files_put_between_start_and_finish_are_one_commit(dvmount: Dvmount, images: str) -> None:
    before = dvmount.commits()
    commit = dvmount("start", "commit", "images@master", "-m", "two files").strip()
    assert dvmount("put", "file", "images@master:/1", stdin=b"1").strip() == commit
    dvmount("put", "file", f"images@{commit}:/2", stdin=b"2")
    assert "/1" not in dvmount.paths("images@master"), "nobody sees an open commit"
    assert dvmount("finish", "commit", "images@master").strip() == commit
    assert dvmount.paths("images@master") == ["/1", "/2", "/a.txt", "/pets/"]
    assert dvmount.commits() == [commit, *before]
    assert dvmount.json("inspect", "commit", "images@master")["message"] == "two files"


def test_a_dropped_commit_leaves_nothing(dvmount: Dvmount, images: str) -> None:
    before = dvmount.commits()
    dvmount("start", "commit", "images")
    dvmount("put", "file", "images:/1", stdin=b"1")
    dvmount("drop", "commit", "images@master")
    assert dvmount.commits() == before
    assert dvmount.paths("images") == ["/a.txt", "/pets/"]


def test_commits_are_listed_newest_first_and_as_many_as_asked(dvmount: Dvmount, images: str) -> None:
    ids = [dvmount("put", "file", "images:/n", stdin=str(n).encode()).strip() for n in range(3)]
    assert dvmount.commits()[:3] == ids[::-1]
    assert [commit["id"] for commit in dvmount.json("list", "commit", "images@master", "-n", "2")] == ids[
        :0:-1
    ]


def test_wait_returns_when_another_process_finishes_the_commit(
    dvmount: Dvmount, images: str, start: Start
) -> None:
    commit = dvmount("start", "commit", "images").strip()
    waiting = start("wait", "commit", f"images@{commit}", "-o", "json")
    assert waiting.poll() is None
    dvmount("finish", "commit", "images")
    out, _ = waiting.communicate(timeout=30)
    assert waiting.returncode == 0
    assert b'"finished"' in out


def test_wait_gives_up_in_time(dvmount: Dvmount, images: str) -> None:
    commit = dvmount("start", "commit", "images").strip()
    assert commit in dvmount.error("wait", "commit", f"images@{commit}", "--timeout", "0.1")


def test_a_store_appears_with_its_first_repository_and_not_before(dvmount: Dvmount, places: Path) -> None:
    assert "create repo" in dvmount.error("list", "repo")
    assert "create repo" in dvmount.error("put", "file", "images:/a", stdin=b"a")
    assert dvmount("list", "mount") == ""
    assert not (places / "store").exists()
    dvmount("create", "repo", "images")
    assert (places / "store").is_dir()


def test_another_store_is_chosen_by_url_or_by_name(dvmount: Dvmount, images: str, places: Path) -> None:
    url = (places / "second").as_uri()
    dvmount("--store", url, "create", "repo", "other")
    config = places / "config" / "dvmount" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[stores]\nsecond = "{url}"\n')
    assert [repo["name"] for repo in dvmount.json("--store", "second", "list", "repo")] == ["other"]
    assert [repo["name"] for repo in dvmount.json("list", "repo")] == ["images"]


def test_a_configuration_in_another_encoding_is_an_error_of_one_line(dvmount: Dvmount, places: Path) -> None:
    config = places / "config" / "dvmount" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_bytes('store = "größe"'.encode("latin-1"))
    assert "is not UTF-8" in dvmount.error("list", "repo")


def test_every_verb_and_noun_has_help_with_no_store_at_all(dvmount: Dvmount) -> None:
    context = click.Context(cli)
    for verb in VERBS:
        assert "Commands:" in dvmount(verb, "--help")
        group = cli.get_command(context, verb)
        assert isinstance(group, click.Group)
        assert group.list_commands(context)
        for noun in group.list_commands(context):
            assert "Usage:" in dvmount(verb, noun, "--help")
    for name in PLAIN:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert "Usage:" in dvmount(name, "--help")


def test_completion_knows_repositories_branches_and_mounts(
    dvmount: Dvmount, images: str, start: Start
) -> None:
    def complete(words: str, count: int) -> bytes:
        import os

        env = {
            **os.environ,
            "_DVMOUNT_COMPLETE": "zsh_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(count),
        }
        out, err = start(env=env).communicate(timeout=30)
        assert err == b""
        return out

    assert b"images" in complete("dvmount list file im", 3)
    assert b"images@master" in complete("dvmount list file images@", 3)
    assert b"images" not in complete("dvmount list file x", 3)
    assert b"dvmount" in dvmount("completion", "zsh").encode()


def test_a_branch_follows_another_when_enough_has_happened_there(dvmount: Dvmount, images: str) -> None:
    dvmount("create", "branch", "images@stable", "--trigger", "master", "--trigger-size", "1kB")
    options = ("--trigger-commits", "2", "--trigger-cron", "@daily", "--trigger-rate-limit", "1h30m")
    dvmount("create", "branch", "images@slow", "-t", "stable", *options, "--trigger-all")
    assert dvmount.json("inspect", "branch", "images@slow")["trigger"] == {
        "branch": "stable",
        "size": None,
        "commits": 2,
        "cron": "@daily",
        "rate_limit": 5400.0,
        "all": True,
    }
    shown = dvmount("inspect", "branch", "images@slow")
    assert "stable: 2 commits and cron @daily and every 5400 s\n" in shown
    assert dvmount("list", "branch", "images").splitlines()[2].split("\t")[5] == "master: 1000 bytes"
    dvmount("put", "file", "images:/small", stdin=b"1")
    assert dvmount.json("inspect", "branch", "images@stable")["head"] is None
    head = dvmount("put", "file", "images:/large", stdin=bytes(1000)).strip()
    assert dvmount.json("inspect", "branch", "images@stable")["head"] == head


def test_a_trigger_that_cannot_work_is_refused(dvmount: Dvmount, images: str) -> None:
    assert dvmount.run("create", "branch", "images@x", "--trigger-size", "1MB").exit_code == 2
    assert "would trigger itself" in dvmount.error("create", "branch", "images@x", "--trigger", "x")
    for option, value in {"size": "large", "size ": "0", "cron": "daily", "rate-limit": "0s"}.items():
        error = dvmount.error(
            "create", "branch", "images@x", "-t", "master", f"--trigger-{option.strip()}", value
        )
        assert "illegal" in error
    assert [branch["name"] for branch in dvmount.json("list", "branch", "images")] == ["master"]


def test_usage_shows_each_repository_and_the_whole_store(dvmount: Dvmount, images: str) -> None:
    dvmount("put", "file", "images:/copy", stdin=b"alpha\n")
    usage = dvmount.json("usage")
    assert usage["repos"] == [{"repo": "images", "commits": 2, "logical": 11 + 17}]
    assert usage["logical"] == 28
    repo, empty, total = dvmount("usage").splitlines()
    assert (repo.split("\t"), empty) == (["images", "2", "28"], "")
    assert total.split("\t")[0] == "28"
