"""How pipelines hang together: who reads whose output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from jupyter_dvmount.pipelines.datums import branches
from jupyter_dvmount.pipelines.spec import PipelineSpec
from jupyter_dvmount.store import Invalid

Specs = Mapping[str, PipelineSpec]
"""Specs by the names of their pipelines."""


def producers(specs: Specs) -> dict[tuple[str, str], str]:
    """Which pipeline writes each output (repository, branch)."""
    return {(name, spec.output_branch): name for name, spec in specs.items()}


def upstream(specs: Specs) -> dict[str, set[str]]:
    """The pipelines whose output each one reads."""
    makers = producers(specs)
    return {name: {makers[each] for each in branches(spec) if each in makers} for name, spec in specs.items()}


def in_order(specs: Specs) -> list[str]:
    """Names of pipelines, each after those that it reads from.

    Raises
    ------
    Invalid
        If they form a cycle; the message names it.
    """
    try:
        return list(TopologicalSorter(upstream(specs)).static_order())
    except CycleError as error:
        cycle = " → ".join(error.args[1])
        raise Invalid(f"pipelines would feed themselves: {cycle}", fix="break the cycle") from None


def downstream(specs: Specs, roots: Iterable[str]) -> list[str]:
    """The roots and every pipeline that is fed by them, each after those that it reads from."""
    above, found = upstream(specs), set(roots)
    order = in_order(specs)
    for name in order:
        if above[name] & found:
            found.add(name)
    return [name for name in order if name in found]
