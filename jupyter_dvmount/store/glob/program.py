"""Runs the program of a glob over paths.

As in RE2's BitState (R. Cox, "Regular Expression Matching: the Virtual Machine Approach"): threads in order
of preference, and no instruction twice at the same place of the text. So the time is bounded by the product
of the lengths of pattern and path (for a ``!(…)`` once more by that of a name), whatever the pattern, and
the captures are those that a backtracking matcher finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .syntax import END, FORK, NOT, ONE, PART, SAVE, STAR, SUPER, TEXT, Compiler, follower


class Start(NamedTuple):
    """How names begin that can match: with ``text``, or, if ``whole``, they are it."""

    text: str
    whole: bool


Saves = tuple[int, int, Any] | None
"""Kept positions, the last one first: (which, position, those before)."""
Thread = tuple[int, int, Saves]
"""(instruction, position, saves)."""
Ends = dict[tuple[int, int], set[int]]
"""Where the bodies of negations can end within one text: by body and position."""


class Program:
    """A compiled pattern.

    Parameters
    ----------
    pattern
        The pattern, of paths that begin with a slash.

    Attributes
    ----------
    groups
        How many captures a match has.

    Raises
    ------
    Invalid
        If the pattern is not one; names the place and what to write instead.
    """

    def __init__(self, pattern: str) -> None:
        compiler = Compiler(pattern)
        self._code = compiler.code
        self.groups = compiler.groups
        op, argument = self._code[-2]
        self._suffix = argument if op == TEXT else ""  # all matches end with it

    def match(self, path: str) -> tuple[str, ...] | None:
        """Captures by their opening parentheses if the whole path matches, else None."""
        if not path.endswith(self._suffix):
            return None
        for pc, at, saves in self._run(path, 0, 0, {}):
            if at == len(path) and self._code[pc][0] == END:
                return self._captures(path, saves)
        return None

    def starts_in(self, directory: str) -> list[Start]:
        """How names in a directory begin that can be part of a match.

        Parameters
        ----------
        directory
            Its path with a slash at the end.

        Returns
        -------
        list of Start
            Sorted; none begins with another one. Empty if nothing in or below the directory matches.
        """
        starts: set[Start] = set()
        for pc, at, _ in self._run(directory, 0, 0, {}):
            op, argument = self._code[pc]
            if op == TEXT:
                name, slash, _ = argument[len(directory) - at :].partition("/")
                starts.add(Start(name, bool(slash) or follower(self._code, pc) in {"", "/"}))
            elif op != END:
                return [Start("", whole=False)]
        kept: list[Start] = []
        for start in sorted(starts):
            if not kept or kept[-1].whole or not start.text.startswith(kept[-1].text):
                kept.append(start)
        return kept

    def _run(  # noqa: PLR0912 - one branch an instruction
        self, text: str, pc: int, start: int, ends: Ends
    ) -> Iterator[Thread]:
        """Run from one place; gives the threads that reach an end, and those that want more text."""
        code, size = self._code, len(text)
        seen: set[tuple[int, int]] = set()
        covered: dict[tuple[int, int], int] = {}  # by star and its farthest end: the first place it ran from
        threads: list[Thread] = [(pc, start, None)]
        while threads:
            thread = pc, at, saves = threads.pop()
            if (pc, at) in seen:
                continue
            seen.add((pc, at))
            op, argument = code[pc]
            if op == TEXT:
                if text.startswith(argument, at):
                    threads.append((pc + 1, at + len(argument), saves))
                elif argument.startswith(text[at:]):
                    yield thread
            elif op in (STAR, SUPER):
                stop = size if op == SUPER else _component_end(text, at)
                if stop == size:
                    yield thread
                last = min(stop, covered.get((pc, stop), stop + 1) - 1)
                covered[pc, stop] = min(at, last + 1)
                threads += [(pc + 1, place, saves) for place in _places(text, at, last, argument)]
            elif op == ONE:
                if at == size:
                    yield thread
                elif argument.has(text[at]):
                    threads.append((pc + 1, at + 1, saves))
            elif op == FORK:
                threads += [(target, at, saves) for target in reversed(argument)]
            elif op == SAVE:
                threads.append((pc + 1, at, (argument, at, saves)))
            elif op == NOT:
                body, after = argument
                stop = _component_end(text, at)
                if stop == size:
                    yield thread
                refused = self._ends(text, body, at, ends)
                threads += [(after, end, saves) for end in range(at, stop + 1) if end not in refused]
            else:
                yield thread

    def _ends(self, text: str, body: int, start: int, ends: Ends) -> set[int]:
        """Where the body of a negation can end."""
        if (body, start) not in ends:
            threads = self._run(text, body, start, ends)
            ends[body, start] = {at for pc, at, _ in threads if self._code[pc][0] == PART}
        return ends[body, start]

    def _captures(self, path: str, saves: Saves) -> tuple[str, ...]:
        places: dict[int, int] = {}
        while saves is not None:
            which, at, saves = saves
            places.setdefault(which, at)
        # A group that the match does not go through has captured nothing.
        return tuple(path[places.get(n, 0) : places.get(n + 1, 0)] for n in range(0, 2 * self.groups, 2))


def _component_end(text: str, at: int) -> int:
    end = text.find("/", at)
    return len(text) if end < 0 else end


def _places(text: str, at: int, last: int, follower: str | None) -> Sequence[int]:
    """Where a star that stands at ``at`` may end up to ``last``, the preferred place at the end."""
    if follower is None:
        return range(at, last + 1)
    places = []
    place = text.find(follower, at, last + 1) if follower else -1
    while place >= 0:
        places.append(place)
        place = text.find(follower, place + 1, last + 1)
    if last == len(text):
        places.append(last)  # the end, or where a longer text would go on
    return places
