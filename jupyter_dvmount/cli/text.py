"""Text from the store made safe for a line of a terminal."""

from __future__ import annotations

import unicodedata


def one_line(text: str) -> str:
    """Escape what would break the line or command the terminal: messages and names come from others."""
    if text.isprintable():
        return text
    return "".join(_escape(char) if _hostile(char) else char for char in text)


def _hostile(char: str) -> bool:
    # Cc: control, Cf: invisible formatting such as bidirectional overrides, Cs: bytes that are not UTF-8.
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
