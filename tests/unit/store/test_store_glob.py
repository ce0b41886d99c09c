"""Globs: what matches, what is captured, what is visited, and what is refused."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jupyter_dvmount.store import CommitReader, FileInfo, Invalid, VersionStore
from jupyter_dvmount.store.glob import compile_glob, escape, expand, glob

FILES = (
    "/.hidden", "/a.png", "/a_1.png", "/b.txt", "/b_2_x.png", "/c*d", "/ü.png",
    "/2026/01/x.csv", "/2026/01/y.txt", "/2026/02/x.csv", "/2026/note.txt",
    "/foo-1/nope2.txt", "/foo-1/test2.txt", "/foo-2/foo-2_1/anothertest.txt", "/foo-2/foo-2_1/nope3.txt",
)  # fmt: skip

DIRECTORIES = ("/2026", "/2026/01", "/2026/02", "/foo-1", "/foo-2", "/foo-2/foo-2_1")


def reader_of(store: VersionStore, *paths: str) -> CommitReader:
    with store.modify("images", "master") as writer:
        for path in paths:
            writer.put(path, path.encode())
    return store.read("images", "master")


@pytest.fixture
def reader(store: VersionStore) -> CommitReader:
    return reader_of(store, *FILES)


class Watched:
    """A reader that writes down what is asked of it."""

    def __init__(self, reader: CommitReader) -> None:
        self._reader = reader
        self.commit = reader.commit
        self.listed: list[str] = []
        self.seen = 0
        self.looked_up: list[str] = []

    def lookup(self, path: str) -> FileInfo | None:
        self.looked_up.append(path)
        return self._reader.lookup(path)

    def list(self, path: str = "/", *, after: str = "", limit: int | None = None) -> Iterator[FileInfo]:
        self.listed.append(path)
        for file in self._reader.list(path, after=after, limit=limit):
            self.seen += 1
            yield file


def paths(reader: Any, pattern: str) -> list[str]:
    return [match.file.path for match in glob(reader, pattern)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("/", ["/"]),
        ("//", ["/"]),
        ("/*", ["/.hidden", "/2026", "/a.png", "/a_1.png", "/b.txt", "/b_2_x.png", "/c*d", "/foo-1", "/foo-2",
                "/ü.png"]),
        ("*.png", ["/a.png", "/a_1.png", "/b_2_x.png", "/ü.png"]),
        ("/?.png", ["/a.png", "/ü.png"]),
        ("/2026/", ["/2026"]),
        ("/2026/*", ["/2026/01", "/2026/02", "/2026/note.txt"]),
        ("/*/*", ["/2026/01", "/2026/02", "/2026/note.txt", "/foo-1/nope2.txt", "/foo-1/test2.txt",
                  "/foo-2/foo-2_1"]),
        ("/2026/**", ["/2026/01", "/2026/01/x.csv", "/2026/01/y.txt", "/2026/02", "/2026/02/x.csv",
                      "/2026/note.txt"]),
        ("/**test*.txt", ["/foo-1/test2.txt", "/foo-2/foo-2_1/anothertest.txt"]),
        ("/**/test*.txt", ["/foo-1/test2.txt"]),
        ("/**/*.txt", ["/2026/01/y.txt", "/2026/note.txt", "/b.txt", "/foo-1/nope2.txt", "/foo-1/test2.txt",
                       "/foo-2/foo-2_1/anothertest.txt", "/foo-2/foo-2_1/nope3.txt"]),
        ("/foo**", ["/foo-1", "/foo-1/nope2.txt", "/foo-1/test2.txt", "/foo-2", "/foo-2/foo-2_1",
                    "/foo-2/foo-2_1/anothertest.txt", "/foo-2/foo-2_1/nope3.txt"]),
        ("/**/", sorted([*FILES, *DIRECTORIES], key=lambda path: path.split("/"))),
        ("/[ab].*", ["/a.png", "/b.txt"]),
        ("/[!a].???", ["/b.txt", "/ü.png"]),
        ("/[^[:alpha:]]*", ["/.hidden", "/2026", "/ü.png"]),
        ("/[[:alpha:][:digit:]].*", ["/a.png", "/b.txt"]),
        ("/[]a-].png", ["/a.png"]),
        ("/{a,b}.{png,txt}", ["/a.png", "/b.txt"]),
        ("/{2026/01,foo-1}/*", ["/2026/01/x.csv", "/2026/01/y.txt", "/foo-1/nope2.txt", "/foo-1/test2.txt"]),
        ("/{b,a}{,_1}.png", ["/a.png", "/a_1.png"]),
        ("/!(*.png|*.txt)", ["/.hidden", "/2026", "/c*d", "/foo-1", "/foo-2"]),
        ("/2026/+([0-9])/x.csv", ["/2026/01/x.csv", "/2026/02/x.csv"]),
        ("/a?(_1).png", ["/a.png", "/a_1.png"]),
        ("/@(a|b_2_x).png", ["/a.png", "/b_2_x.png"]),
        (r"/c\*d", ["/c*d"]),
        ("/nothing", []),
        ("/a.png/*", []),
        ("/a.png/**", []),
    ],
)  # fmt: skip
def test_patterns_mean_what_they_mean_in_pachyderm(
    reader: CommitReader, pattern: str, expected: list[str]
) -> None:
    assert paths(reader, pattern) == expected


@pytest.mark.parametrize(
    ("pattern", "path", "captures"),
    [
        ("/(*)_(*).png", "/cat_007.png", ("cat", "007")),
        ("/(*)_(*).png", "/a_b_c.png", ("a_b", "c")),
        ("/(*)-?([0-9]).png", "/a-.png", ("a", "")),
        ("/test/a*(a|b)/*(*).go", "/test/aaaa/x.go", ("aaa", "x")),
        ("/test/a?(a|b)/?(*).go", "/test/aa/x.go", ("a", "x")),
        ("/test*(/?(+(a|b)/*.go))", "/test/a/x.go", ("/a/x.go", "a/x.go", "a")),
        ("/!(*.tmp)", "/a.csv", ("a.csv",)),
        ("/{(a),(b)}", "/b", ("", "b")),
        ("/(**)/(*)", "/x/y/z", ("x/y", "z")),
        ("/**(a|b)", "/x/b", ("b",)),
        ("/()x", "/x", ("",)),
    ],
)
def test_parentheses_capture(pattern: str, path: str, captures: tuple[str, ...]) -> None:
    compiled = compile_glob(pattern)
    assert compiled.program.match(path) == captures
    assert compiled.program.groups == len(captures)


def test_a_match_says_what_it_is_and_what_was_captured(reader: CommitReader) -> None:
    (first, second) = glob(reader, "/(?)_(*).png")
    assert (first.file, first.captures) == (reader.lookup("/a_1.png"), ("a", "1"))
    assert second.captures == ("b", "2_x")
    assert next(glob(reader, "/")).file == reader.lookup("/")


def test_captures_fill_templates() -> None:
    assert expand("$2-${1}0 costs $$5", ("a", "b")) == "b-a0 costs $5"
    for template, captures in [
        ("$3", ("a", "b")),
        ("$0", ("a",)),
        ("$x", ("a",)),
        ("100$", ()),
        ("$12", ("a",) * 9),
    ]:
        with pytest.raises(Invalid, match=r"character [1-9]"):
            expand(template, captures)


@pytest.mark.parametrize(
    ("pattern", "place", "what"),
    [
        ("", "empty", "/ for the commit as a whole"),
        ("/a[b", "character 3", r"\["),
        ("/a[]", "character 3", r"\["),
        ("/a[b\\", "character 5", r"\\"),
        ("/[b-a]", "character 3", "a-b"),
        ("/[[:letter:]]", "character 3", "alpha"),
        ("/[[:alpha]", "character 3", "[:name:]"),
        ("/x(a|b", "character 3", r"\("),
        ("/*(a", "character 2", r"\*"),
        ("/{a,b", "character 2", r"\{"),
        ("/{a,(b}", "character 7", r"\}"),
        ("/a)", "character 3", r"\)"),
        ("/a}", "character 3", r"\}"),
        ("/a\\", "character 3", r"\\"),
        ("/a//b", "character 3", "without"),
        ("/a/../b", "character 4", "without"),
        (".", "character 2", "without"),
        ("/{1..3}", "character 2", "[1-3]"),
        ("/" + "?" * 129, "character 130", "several globs"),
        ("/" + "(" * 17 + ")" * 17, "character 18", "several globs"),
        ("/" + "x" * 4096, "4097 characters", "4096"),
    ],
)
def test_what_cannot_match_is_refused_with_the_place_and_the_remedy(
    pattern: str, place: str, what: str
) -> None:
    with pytest.raises(Invalid) as caught:
        compile_glob(pattern)
    assert place in caught.value.message
    assert what in caught.value.fix
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 200


@given(st.text(st.characters(exclude_characters="/", exclude_categories=["Cs", "Cc"]), min_size=1))
def test_an_escaped_name_matches_itself_alone(name: str) -> None:
    program = compile_glob(f"/{escape('x' + name)}").program
    assert program.match(f"/x{name}") == ()
    assert program.match(f"/x{name}y") is None
    assert [start.text for start in program.starts_in("/")] == [f"x{name}"]


@pytest.mark.parametrize(
    ("pattern", "listed", "seen"),
    [
        ("/2026/01/*", ["/2026/01"], 2),
        ("/2026/01/x.csv", [], 0),
        ("/2026/*/x.csv", ["/2026"], 3),
        ("/2026/{01,02}/x.csv", [], 0),
        ("/{2026/01,foo-1}/x*", ["/2026/01", "/foo-1"], 2),
        ("/(2026|foo-1)", [], 0),
        ("/b*", ["/"], 3),
        ("/nothing/*", [], 0),
    ],
)
def test_only_what_can_match_is_visited(
    reader: CommitReader, pattern: str, listed: list[str], seen: int
) -> None:
    watched = Watched(reader)
    list(glob(cast(CommitReader, watched), pattern))
    assert (watched.listed, watched.seen) == (listed, seen)


def test_matches_come_one_by_one(reader: CommitReader) -> None:
    watched = Watched(reader)
    found = glob(cast(CommitReader, watched), "/**")
    assert next(found).file.path == "/.hidden"
    assert watched.seen == 1


def test_deep_directories_are_no_problem(store: VersionStore) -> None:
    deep = "/d" * 1200
    assert paths(reader_of(store, f"{deep}/x"), "/**/x") == [f"{deep}/x"]


@pytest.mark.parametrize(
    "pattern",
    ["/" + "*a" * 60 + "b", "/" + "+(+(+(+(a))))b", "/+(a|aa|+(a))b", "/*(*(*(a)*)*)b", "/" + "(*)_" * 30,
     "/**a**a**a**a**a**b", "/!(*(*a*)b)!(!(!(*a)))c", "/" + "{a,aa}" * 100 + "b", "/" + "?(a)" * 100 + "b"],
)  # fmt: skip
def test_hostile_patterns_end_soon(pattern: str) -> None:
    program = compile_glob(pattern).program
    began = time.perf_counter()
    for name in ("a" * 255, "_" * 255, "/".join(["a" * 100] * 10)):
        program.match(f"/{name}")
        program.starts_in(f"/{name}/")
    assert time.perf_counter() - began < 10  # a backtracking matcher needs years


# A model: patterns as trees, of which the text is written and the ends of matches are found naively.
_LETTERS = st.sampled_from("ab/")


def _trees() -> st.SearchStrategy[tuple[Any, ...]]:
    leaves = st.one_of(
        st.tuples(st.just("text"), _LETTERS),
        st.sampled_from([("star",), ("super",), ("one",), ("set", "a"), ("unset", "a")]),
    )
    return st.recursive(
        leaves,
        lambda inner: st.tuples(
            st.sampled_from("@?*+!{"), st.lists(st.lists(inner, max_size=3), min_size=1, max_size=2)
        ),
        max_leaves=6,
    )


def _text(sequence: list[tuple[Any, ...]]) -> str:
    parts = []
    for kind, *arguments in sequence:
        if kind in "@?*+!{":
            options = [_text(option) for option in arguments[0]]
            parts.append("{" + ",".join(options) + "}" if kind == "{" else f"{kind}({'|'.join(options)})")
        else:
            written = {"text": arguments and arguments[0], "star": "*", "super": "**", "one": "?"}
            parts.append(written.get(kind) or {"set": "[a]", "unset": "[!a]"}[kind])
    return "".join(parts)


def _model_ends(sequence: list[tuple[Any, ...]], text: str, start: int) -> set[int]:
    ends = {start}
    for kind, *arguments in sequence:
        ends = {end for at in ends for end in _ends_of(kind, arguments, text, at)}
    return ends


def _ends_of(kind: str, arguments: list[Any], text: str, at: int) -> set[int]:
    name_end = (text + "/").index("/", at)
    here = text[at : at + 1]
    if kind == "text":
        return {at + 1} if here == arguments[0] else set()
    if kind == "star":
        return set(range(at, name_end + 1))
    if kind == "super":
        return set(range(at, len(text) + 1))
    if kind in {"one", "set", "unset"}:
        fits = here not in {"", "/"} and (kind == "one" or (here == "a") is (kind == "set"))
        return {at + 1} if fits else set()
    once = {end for option in arguments[0] for end in _model_ends(option, text, at)}
    if kind == "!":
        return set(range(at, name_end + 1)) - once
    if kind in "@{":
        return once
    if kind == "?":
        return once | {at}
    ends, fresh = set(once), once
    while fresh:
        fresh = {e for s in fresh for option in arguments[0] for e in _model_ends(option, text, s)} - ends
        ends |= fresh
    return ends | {at} if kind == "*" else ends


@settings(max_examples=300)
@given(st.lists(_trees(), min_size=1, max_size=4), st.text("ab/", min_size=1, max_size=8))
def test_matching_agrees_with_a_naive_model(sequence: list[tuple[Any, ...]], text: str) -> None:
    pattern = "/x" + _text(sequence)
    assume(not any(other in pattern for other in ("//", "***", "/**/")) and not _glued(sequence))
    path = f"/x{text}"
    program = compile_glob(pattern.rstrip("/") if pattern.endswith("/") else pattern).program
    whole = [("text", "/"), ("text", "x"), *sequence]
    while whole[-1] == ("text", "/"):
        whole.pop()
    expected = len(path) in _model_ends(whole, path, 0)
    assert (program.match(path) is not None) == expected
    if expected and not path.endswith("/"):  # no file has an empty name
        head = path[: path.rindex("/") + 1]
        name = path[len(head) :]
        starts = program.starts_in(head)
        assert any(name == s.text if s.whole else name.startswith(s.text) for s in starts)


def _glued(sequence: list[tuple[Any, ...]]) -> bool:
    """Whether two stars side by side make the text of a tree mean something else."""
    for (left, *_), (right, *_) in pairwise(sequence):
        if left in {"star", "super"} and right in {"star", "super", "*"}:
            return True
    return any(_glued(option) for kind, *arguments in sequence if kind in "@?*+!{" for option in arguments[0])


PIECES = (
    "a", "b", ".", "*", "?", "[ab]", "[!a]", "[^b.]", "[[:alpha:]]", "@(a|b)", "?(a)", "*(ab|b)", "+(a|.)",
    "!(a)", "!(*b)", "!(@(a|.)|?b)", r"\*", "+(?(a)b)",
)  # fmt: skip


def test_names_match_as_in_bash() -> None:
    def differs(pattern: str) -> bool:  # ** crosses directories; bash lets x*!(a)b match x, which is a bug
        return "**" in pattern or "*!(" in pattern or "?!(" in pattern

    choice = random.Random(20260101)
    made = {"".join(choice.choices(PIECES, k=choice.randint(1, 4))) for _ in range(150)}
    programs = {each: compile_glob(f"/x{each}").program for each in sorted(made) if not differs(each)}
    words = ["x" + "".join(word) for length in range(4) for word in product("ab.*", repeat=length)]
    pairs = [(pattern, word) for pattern in programs for word in choice.sample(words, 40)]
    script = "shopt -s extglob; while IFS=$'\\t' read -r p t; do [[ $t == $p ]] && echo 1 || echo 0; done"
    lines = "".join(f"x{pattern}\t{word}\n" for pattern, word in pairs)
    said = subprocess.run(
        ["bash", "-c", script], input=lines, capture_output=True, text=True, check=True, env={"LC_ALL": "C"}
    ).stdout.split()
    ours = ["01"[programs[pattern].match(f"/{word}") is not None] for pattern, word in pairs]
    assert [pair for pair, *both in zip(pairs, ours, said, strict=True) if both[0] != both[1]] == []
    assert 100 < said.count("1") < len(said) - 100


def test_directories_match_as_in_bash(reader: CommitReader, tmp_path: Path) -> None:
    for path in FILES:
        (tmp_path / "tree" / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / path[1:]).touch()
    patterns = ["*", "*/*", "**/*.txt", "2026/**/*.csv", "**/foo-2_1/*", "foo-@(1|2)/*", "*/+([0-9])/x.*",
                "**/x.csv", "!(2026)/*", "{2026/01,foo-1}/*.txt", "[[:digit:]]*/**/!(*.txt)", "**/*/n*.txt",
                "?(x|)2026/*"]  # fmt: skip
    options = [word for name in ("extglob", "dotglob", "globstar", "nullglob") for word in ("-O", name)]
    for pattern in patterns:
        run = ["bash", *options, "-c", f"printf '%s\\n' {pattern}"]
        said = subprocess.run(run, cwd=tmp_path / "tree", capture_output=True, text=True, check=True).stdout
        assert sorted(p[1:] for p in paths(reader, pattern)) == sorted(set(said.split())), pattern
