"""What pipelines would do with each datum: a page of it, and the sums of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from jupyter_dvmount.pipelines.model import Explained
from jupyter_dvmount.pipelines.spec import PipelineSpec
from jupyter_dvmount.store import VersionStore

if TYPE_CHECKING:
    from jupyter_dvmount.pipelines.service import Pipelines


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """How many datums of a pipeline would run, be skipped, or are gone; ``reason``: why there are none."""

    pipeline: str
    run: int = 0
    skip: int = 0
    gone: int = 0
    reason: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A page of datums, and the sums of all; ``next`` is the ``after`` of the next page, None at the end."""

    items: list[Explained]
    sums: list[Sums]
    next: int | None


def explain_page(
    pipelines: Pipelines, store: VersionStore, specs: Sequence[PipelineSpec], after: int, limit: int
) -> Explanation:
    """Explain the datums of specs from the one with number ``after`` on; the sums need a look at each."""
    from jupyter_dvmount.pipelines.datums import current_heads
    from jupyter_dvmount.pipelines.explain import nothing_because

    items: list[Explained] = []
    sums: list[Sums] = []
    number = 0
    names = {spec.name for spec in specs}
    for spec in specs:
        heads = current_heads(store, spec, expected=names)
        actions: Counter[str] = Counter()
        for each in pipelines.explain(spec, heads):
            actions[each.action] += 1
            if after <= number < after + limit:
                items.append(each)
            number += 1
        reason = "" if actions else nothing_because(spec, heads)
        sums.append(Sums(pipeline=spec.name, **actions, reason=reason))
    return Explanation(items=items, sums=sums, next=after + limit if number > after + limit else None)
