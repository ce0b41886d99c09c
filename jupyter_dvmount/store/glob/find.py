"""Finds what matches a glob in a commit."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from jupyter_dvmount.store.errors import Invalid
from jupyter_dvmount.store.model import FileInfo
from jupyter_dvmount.store.protocol import CommitReader

from .program import Program

_NEVER = re.compile(r"//|(?<=/)\.\.?(?=/|\Z)")


class Match(msgspec.Struct, frozen=True):
    """A file or directory that matches.

    Parameters
    ----------
    file
        What it is; directories are not summed.
    captures
        What each parenthesis of the pattern matched, by their order; empty where one did not take part.
    """

    file: FileInfo
    captures: tuple[str, ...] = ()


class Glob(msgspec.Struct, frozen=True):
    """A valid pattern, ready to be used with any commit, from any thread.

    Parameters
    ----------
    pattern
        The pattern, with a slash in front and none at the end.
    program
        What it was compiled to; ``program.groups`` is the number of captures.
    """

    pattern: str
    program: Program

    def find(self, reader: CommitReader) -> Iterator[Match]:
        """What matches in a commit, in the order of paths, a directory before what is in it.

        Only directories that can have matches are visited, and of them only the names that begin as they
        have to: ``/2026/01/a*`` costs as much as there are names with an ``a`` in one directory.
        """
        if self.pattern == "/":
            yield Match(FileInfo(path="/", type="dir", commit=reader.commit.id))
            return
        levels = [self._candidates(reader, "/")]
        while levels:
            file = next(levels[-1], None)
            if file is None:
                levels.pop()
                continue
            captures = self.program.match(file.path)
            if captures is not None:
                yield Match(file, captures)
            if file.type == "dir":
                levels.append(self._candidates(reader, file.path))

    def _candidates(self, reader: CommitReader, directory: str) -> Iterator[FileInfo]:
        """Entries of a directory that may match or have matches below."""
        prefix = directory.rstrip("/") + "/"
        for text, whole in self.program.starts_in(prefix):
            named = reader.lookup(prefix + text) if text else None
            if named is not None:
                yield named
            if whole:
                continue
            for file in reader.list(directory, after=text):
                if not file.name.startswith(text):
                    break
                yield file


def compile_glob(pattern: str) -> Glob:
    """Check a pattern and prepare it.

    Parameters
    ----------
    pattern
        As described in this module. Slashes at its ends do not matter, so that ``a`` is ``/a``.

    Raises
    ------
    Invalid
        If it is malformed or can never match; says where and what to write instead.
    """
    if not pattern:
        raise Invalid("the glob is empty", fix="write / for the commit as a whole, /* for what is at its top")
    absolute = "/" + pattern.strip("/")
    never = _NEVER.search(absolute)
    if never:
        what = "an empty name" if never[0] == "//" else f"the name '{never[0]}'"
        raise Invalid(
            f"bad glob '{absolute}': {what} at character {never.start() + 1} never matches",
            fix="write it without",
        )
    return Glob(absolute, Program(absolute))


def glob(reader: CommitReader, pattern: str) -> Iterator[Match]:
    """What matches ``pattern`` in a commit, in the order of paths; see `compile_glob` and `Glob.find`."""
    return compile_glob(pattern).find(reader)
