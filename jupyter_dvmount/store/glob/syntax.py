"""The syntax of globs: a pattern becomes a program of a few instructions (see `program`)."""

from __future__ import annotations

import re
import string
from typing import Any, NamedTuple, NoReturn

from jupyter_dvmount.store.errors import Invalid

MAX_LENGTH = 4096
"""Characters of a pattern: as many as a path may have bytes."""
MAX_WILDCARDS = 128
MAX_DEPTH = 16
"""Groups and braces within each other."""
_POSIX = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "ascii": "".join(map(chr, range(128))),
    "blank": " \t",
    "cntrl": "".join(map(chr, range(32))) + "\x7f",
    "digit": string.digits,
    "graph": string.ascii_letters + string.digits + string.punctuation,
    "lower": string.ascii_lowercase,
    "print": string.ascii_letters + string.digits + string.punctuation + " ",
    "punct": string.punctuation,
    "space": string.whitespace,
    "upper": string.ascii_uppercase,
    "word": string.ascii_letters + string.digits + "_",
    "xdigit": string.hexdigits,
}
"""POSIX classes, of ASCII as in Pachyderm."""
_SPECIAL = re.compile(r"[\\*?\[\]{}()|,!@+]")
_BRACE_RANGE = re.compile(r"\{(\w+)\.\.(\w+)\}")


def escape(text: str) -> str:
    """A pattern that matches ``text`` and nothing else."""
    return _SPECIAL.sub(r"\\\g<0>", text)


# Instructions; the argument of each is described with it. Plain integers, for the run is a hot loop.
TEXT = 0
"""This text."""
ONE = 1
"""One character of a set (`Chars`)."""
STAR = 2
"""As many characters but ``/`` as possible. The argument is the character that has to come next: ``""`` if
the pattern ends there, None if it is not known."""
SUPER = 3
"""As many characters as possible. The argument is that of STAR."""
FORK = 4
"""Go on at each of these instructions, preferably at the first."""
SAVE = 5
"""Keep the position: 2n is where capture n begins, 2n+1 where it ends."""
NOT = 6
"""(body, next): as many characters but ``/`` as possible that the body, up to its PART, does not match."""
PART = 7
"""The body of a negation ends."""
END = 8
"""The pattern ends."""


class Chars(NamedTuple):
    """A set of characters, which never has ``/``."""

    single: frozenset[str] = frozenset()
    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = False

    def has(self, char: str) -> bool:
        """Whether a character belongs to it."""
        listed = char in self.single or any(low <= char <= high for low, high in self.ranges)
        return listed is not self.negated and char != "/"


Instruction = tuple[int, Any]


def follower(code: list[Instruction], place: int) -> str | None:
    """The character that has to come after an instruction; see STAR."""
    op, argument = code[place := place + 1]
    while op == SAVE or (op == FORK and len(argument) == 1):
        place = place + 1 if op == SAVE else argument[0]
        op, argument = code[place]
    return str(argument[0]) if op == TEXT else "" if op == END else None


class Compiler:
    """Reads a pattern from left to right and writes its program.

    Parameters
    ----------
    pattern
        The pattern.

    Attributes
    ----------
    code
        The program.
    groups
        How many captures it makes.

    Raises
    ------
    Invalid
        If the pattern is malformed; names the place and what to write instead.
    """

    def __init__(self, pattern: str) -> None:
        self.code: list[Instruction] = []
        self.groups = 0
        self._pattern = pattern
        self._at = 0
        self._wildcards = 0
        self._depth = 0
        if len(pattern) > MAX_LENGTH:
            raise Invalid(f"glob of {len(pattern)} characters", fix=f"use at most {MAX_LENGTH}")
        self._sequence("")
        self._emit(END)
        for place, (op, _) in enumerate(self.code):
            if op in (STAR, SUPER):
                self.code[place] = op, follower(self.code, place)

    def _emit(self, op: int, argument: Any = None) -> int:
        self.code.append((op, argument))
        return len(self.code) - 1

    def _refuse(self, at: int, why: str, fix: str) -> NoReturn:
        shown = self._pattern if len(self._pattern) <= 80 else f"…{self._pattern[max(0, at - 20) : at + 20]}…"
        raise Invalid(f"bad glob '{shown}': {why} at character {at + 1}", fix=fix)

    def _sees(self, text: str) -> bool:
        return self._pattern.startswith(text, self._at)

    def _sequence(self, closers: str) -> None:
        """Compile up to one of the ``closers``, or to the end of the pattern."""
        text = ""
        while self._at < len(self._pattern) and (char := self._pattern[self._at]) not in closers:
            if char in "*?[{()}" or (char in "@!+" and self._sees(f"{char}(")):
                if text:
                    self._emit(TEXT, text)
                    text = ""
                self._wildcard(char)
            else:
                text += self._literal(char)
        if text:
            self._emit(TEXT, text)

    def _literal(self, char: str) -> str:
        self._at += 1
        if char != "\\":
            return char
        self._at += 1
        if self._at > len(self._pattern):
            self._refuse(self._at - 2, "nothing follows the backslash", "write \\\\ for a backslash")
        return self._pattern[self._at - 1]

    def _wildcard(self, char: str) -> None:
        start = self._at
        self._wildcards += 1
        if self._wildcards > MAX_WILDCARDS:
            self._refuse(start, f"wildcard number {MAX_WILDCARDS + 1}", "use several globs")
        if char in ")}":
            self._refuse(start, f"'{char}' closes nothing", f"write \\{char} for the character itself")
        if self._sees("**"):
            self._super(start)
        elif char == "(":
            self._group("@", start, 1)
        elif char in "?*+@!" and self._sees(f"{char}("):
            self._group(char, start, 2)
        elif char == "{":
            self._braces(start)
        elif char == "[":
            self._emit(ONE, self._chars(start))
        else:
            self._at += 1
            self._emit(*((STAR, None) if char == "*" else (ONE, Chars(negated=True))))

    def _super(self, start: int) -> None:
        self._at += 2
        if self._pattern[start - 1 : start] == "/" and self._sees("/"):
            # A whole component, with the slash behind it: no directory is as good as any number.
            self._at += 1
            self._emit(FORK, (start_of_it := len(self.code) + 1, start_of_it + 2))
            self._emit(SUPER)
            self._emit(TEXT, "/")
        else:
            self._emit(SUPER)

    def _braces(self, start: int) -> None:
        if _BRACE_RANGE.match(self._pattern, start):
            self._refuse(start, "a range in braces", "write {1,2,3}, or [1-3] for one character")
        self._at += 1
        self._alternatives(start, ",", "}")

    def _group(self, kind: str, start: int, opening: int) -> None:
        self._at += opening
        slot, self.groups = 2 * self.groups, self.groups + 1
        self._emit(SAVE, slot)
        head = self._emit(FORK)
        self._alternatives(start, "|", ")")
        body, after = head + 1, len(self.code) + 1
        if kind in "*+":
            self._emit(FORK, (body, after))
        elif kind == "!":
            self._emit(PART)
        else:
            after = len(self.code)
        heads = {"?": (FORK, (body, after)), "*": (FORK, (body, after)), "!": (NOT, (body, after))}
        self.code[head] = heads.get(kind, (FORK, (body,)))
        self._emit(SAVE, slot + 1)

    def _alternatives(self, start: int, separator: str, closer: str) -> None:
        """Compile patterns up to the ``closer``; any of them may match."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._refuse(start, f"more than {MAX_DEPTH} groups within each other", "use several globs")
        fork = self._emit(FORK)
        options, exits = [len(self.code)], []
        while True:
            self._sequence(separator + closer)
            exits.append(self._emit(FORK))
            if self._at == len(self._pattern):
                opening = self._pattern[start]
                self._refuse(
                    start, f"'{opening}' is not closed", f"close it, or write \\{opening} for itself"
                )
            self._at += 1
            if self._pattern[self._at - 1] == closer:
                break
            options.append(len(self.code))
        self.code[fork] = FORK, tuple(options)
        for place in exits:
            self.code[place] = FORK, (len(self.code),)
        self._depth -= 1

    def _chars(self, start: int) -> Chars:
        """Read ``[…]``."""
        self._at += 1
        negated = self._sees("!") or self._sees("^")
        self._at += negated
        single: set[str] = set()
        ranges: list[tuple[str, str]] = []
        first = self._at
        while not self._sees("]") or self._at == first:
            if self._sees("[:"):
                single |= self._posix()
                continue
            low = self._member(start)
            if self._sees("-") and not self._sees("-]"):
                at, self._at = self._at, self._at + 1
                high = self._member(start)
                if high < low:
                    self._refuse(at - 1, f"the range {low}-{high} is empty", f"write {high}-{low}")
                ranges.append((low, high))
            else:
                single.add(low)
        self._at += 1
        return Chars(frozenset(single), tuple(ranges), negated)

    def _member(self, start: int) -> str:
        """Read one character of a set."""
        if self._at >= len(self._pattern):
            self._refuse(start, "'[' is not closed", r"close it with ], or write \[ for itself")
        return self._literal(self._pattern[self._at])

    def _posix(self) -> frozenset[str]:
        """Read ``[:name:]`` or ``[:^name:]``."""
        start = self._at
        end = self._pattern.find(":]", start)
        name = self._pattern[start + 2 : end] if end >= 0 else ""
        if name.removeprefix("^") not in _POSIX:
            self._refuse(start, "no class of characters", f"use [:name:] with one of {', '.join(_POSIX)}")
        self._at = end + 2
        listed = frozenset(_POSIX[name.removeprefix("^")])
        return frozenset(_POSIX["ascii"]) - listed if name.startswith("^") else listed
