"""Keys of datums: what makes two of them the same (``docs/pipelines.md``, datums).

blake3 over texts, each with its length before it, so that no two lists of texts give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable

from blake3 import blake3

from jupyter_dvmount.pipelines.model import Datum, DatumInput

from .code import Code

_CONTEXT = "jupyter-dvmount 2026 datum v1"


class Keys:
    """Makes datums of one pipeline's code.

    Parameters
    ----------
    code
        The code, which is part of each key.
    """

    def __init__(self, code: Code) -> None:
        self._base = blake3(_texts((code.encode(),)), derive_key_context=_CONTEXT)

    def datum(self, inputs: Iterable[DatumInput]) -> Datum:
        """The datum of these inputs, in whatever order they come."""
        ordered = tuple(sorted(inputs, key=_order))
        hasher = self._base.copy()
        hasher.update(_texts(text.encode() for each in ordered for text in _seen(each)))
        return Datum(hasher.hexdigest(), ordered)


def place(inputs: Iterable[DatumInput]) -> bytes:
    """What stays the same of a datum while its data and its code change: where it is, or its group."""
    places = (
        ("", "", each.group_by) if each.group_by else (each.name, each.repo, each.path) for each in inputs
    )
    return _hash(text for each in dict.fromkeys(places) for text in each)


def contents(inputs: Iterable[DatumInput]) -> bytes:
    """What stays the same of a datum while only its code changes."""
    return _hash(text for each in inputs for text in _seen(each))


def _order(each: DatumInput) -> tuple[str, str, str]:
    return each.name, each.path, each.repo


def _seen(each: DatumInput) -> tuple[str, ...]:
    """What the code can see of an input: its name, path and contents, and what the variables say."""
    return (each.name, each.path, each.hash, each.join_on, each.group_by, "1" if each.empty_files else "")


def _hash(texts: Iterable[str]) -> bytes:
    return blake3(_texts(text.encode() for text in texts)).digest()


def _texts(texts: Iterable[bytes]) -> bytes:
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
