"""Fills the captures of a glob into a template."""

from __future__ import annotations

import re

from jupyter_dvmount.store.errors import Invalid

_REFERENCE = re.compile(r"\$(?:(\d+)|\{(\d+)\}|(\$)|)")


def expand(template: str, captures: tuple[str, ...]) -> str:
    r"""Fill captures into a template such as ``$1-$2``.

    Parameters
    ----------
    template
        ``$1`` or ``${1}`` is the first capture; ``$$`` is a dollar.
    captures
        Of a `Match`.

    Raises
    ------
    Invalid
        If there is no such capture. To check a template beforehand: ``expand(template, ("",) * groups)``.
    """

    def value(reference: re.Match[str]) -> str:
        if reference[3]:
            return "$"
        number = int(reference[1] or reference[2] or 0)
        if not 1 <= number <= len(captures):
            at = reference.start() + 1
            known = f"$1 to ${len(captures)}" if captures else "parentheses in the glob, as in /(*).png"
            raise Invalid(
                f"bad template '{template}': no capture '{reference[0]}' at character {at}",
                fix=f"use {known}; $$ is a dollar",
            )
        return captures[number - 1]

    return _REFERENCE.sub(value, template)
