"""From a notebook to a spec: a cell becomes a script that is the pipeline's code."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from jupyter_dvmount.store import Invalid

from .spec import ParsedSpec, Places, frame, parse_value


def cell_spec(
    name: str, code: str, *, input: Places, image: str = "", fields: Mapping[str, Any] | None = None
) -> ParsedSpec:
    """The spec whose code is a cell, exactly: a script of its own that sees nothing of other cells.

    Parameters
    ----------
    name
        The pipeline, or ``project/name``.
    code
        The cell, in Python.
    input
        Its data, see `Places`.
    image
        Image whose ``python3`` runs it; without one it is this Python with all that is installed for it.
    fields
        Further fields of the spec.

    Raises
    ------
    Invalid
        If the cell is no Python, or that cannot be a spec.
    """
    if not image:
        _check_python(code)
    fields = dict(fields or {})
    transform = {
        "cmd": ["python3" if image else sys.executable, "-"],
        "stdin": code.removesuffix("\n").split("\n"),  # splitlines would part texts at a form feed, too
        **({"image": image} if image else {}),
        **fields.pop("transform", {}),
    }
    return parse_value({**frame(name, input), "transform": transform, **fields})


def _check_python(code: str) -> None:
    if not code.strip():
        raise Invalid("the cell is empty", fix="write what is to be done with /pfs in it")
    try:
        compile(code, "<cell>", "exec", dont_inherit=True)
    except SyntaxError as error:
        raise Invalid(
            f"line {error.lineno} of the cell: {error.msg}",
            fix="a pipeline's cell is plain Python, without magics and shell commands",
        ) from None
    except ValueError as error:  # a NUL character
        raise Invalid(f"the cell: {error}", fix="a pipeline's cell is plain Python") from None
