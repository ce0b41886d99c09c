"""Takes the values of secrets out of what is printed, however it is cut into pieces."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote_from_bytes

MASK = b"***"
_FORMS = 6  # bytes below which a value is only looked for as it is
_PIECE = 76  # base64(1) breaks lines there; longer values are looked for in pieces
_REMAINDER = 12  # bytes of a last piece that is looked for by itself


def forms(values: Iterable[bytes]) -> list[bytes]:
    """What has to be looked for to find values: the longest first.

    Each line of them, as it is and in JSON, in URLs and in base64, where that may begin at any byte of what
    was encoded.
    """
    patterns = {piece for value in values for form in _forms(value) for piece in _pieces(form)}
    return sorted(patterns - {b""}, key=len, reverse=True)


class Scrubber:
    """Replaces values in a stream of bytes.

    Parameters
    ----------
    values
        The secrets' values, which are looked for in all their `forms`.
    """

    def __init__(self, values: Iterable[bytes]) -> None:
        self._patterns = forms(values)
        self._longest = len(self._patterns[0]) if self._patterns else 0
        self._expression = re.compile(b"|".join(map(re.escape, self._patterns)))
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be shown of the stream now; the beginning of a value is held back until more is known."""
        if not self._patterns:
            return data
        text = self._held + data
        cut = len(text) - self._tail(text)
        shown = bytearray()
        begin = 0
        for match in self._expression.finditer(text):
            if match.start() >= cut:
                break
            shown += text[begin : match.start()] + MASK
            begin = match.end()
        cut = max(cut, begin)
        self._held = text[cut:]
        return bytes(shown + text[begin:cut])

    def finish(self) -> bytes:
        """The rest of the stream."""
        rest, self._held = self._held, b""
        return self._expression.sub(MASK, rest) if self._patterns else rest

    def _tail(self, text: bytes) -> int:
        """Length of the longest end of ``text`` that more bytes may make into a value."""
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            tail = text[-length:]
            if any(len(pattern) > length and pattern.startswith(tail) for pattern in self._patterns):
                return length
        return 0


def _forms(value: bytes) -> Iterator[bytes]:
    yield from (line for line in value.splitlines() if line.strip())
    if len(value) < _FORMS:
        return
    for text in {value, value.strip()}:
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            for shift in range(3):
                yield _stable(encode(b"\0" * shift + text), shift, len(text))
        yield quote_from_bytes(text, safe="").encode()
        yield quote_from_bytes(text).encode()
        yield json.dumps(text.decode(errors="surrogateescape")).encode()[1:-1]


def _stable(encoded: bytes, shift: int, length: int) -> bytes:
    """The letters of base64 that depend on nothing before or after the value."""
    return encoded[-(-8 * shift // 6) : (8 * (shift + length)) // 6]


def _pieces(form: bytes) -> Iterator[bytes]:
    for begin in range(0, len(form), _PIECE):
        piece = form[begin : begin + _PIECE]
        if begin == 0 or len(piece) >= _REMAINDER:
            yield piece
        else:
            yield form[begin - _REMAINDER :]
