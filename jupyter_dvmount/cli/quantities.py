"""Durations and sizes as options."""

from __future__ import annotations

from typing import Any

import click

from jupyter_dvmount import units


class _Duration(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        return units.seconds(value) if isinstance(value, str) else float(value)


class _Size(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        return units.size(value)


DURATION = _Duration()
"""Seconds, written like ``90s``, ``10m`` or ``1h30m``."""
SIZE = _Size()
"""Bytes, written like ``512Mi`` or ``2G``."""
