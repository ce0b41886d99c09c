r"""Globs over the files of a commit, with Pachyderm's semantics.

=====================  ==========================================================================
``*``  ``?``           any characters, one character; never a ``/``; names with a leading dot too
``**``                 any characters with ``/`` among them, wherever it stands: ``/**test*.txt``;
                       as a whole component before another one also none: ``/**/*.txt``
``[a-z]`` ``[!a]``     one of these characters, none of them (also ``[^a]``); ``[[:alpha:]]``
``{a,b}``              one of these patterns
``(a|b)`` ``@(a|b)``   one of these patterns, captured
``?()`` ``*()`` ``+()``  the same, at most once, any number of times, at least once; captured
``!(a|b)``             any characters but ``/`` that are none of these patterns; captured
``\*``                  the character itself
=====================  ==========================================================================

``/`` is the commit as a whole, ``/*`` what is at its top, ``/**`` every file and directory in it.
"""

from .find import Glob, Match, compile_glob, glob
from .syntax import escape
from .template import expand

__all__ = ["Glob", "Match", "compile_glob", "escape", "expand", "glob"]
