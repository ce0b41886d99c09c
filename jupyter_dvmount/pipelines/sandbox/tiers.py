"""Which tiers work here, and which of them a plan gets."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import cast, get_args

import msgspec

from jupyter_dvmount.store import Invalid, StoreError, Unavailable

from . import bubblewrap, cgroups, image, plain
from .cgroups import Cgroups
from .plan import Plan, Sandbox, Tier

TIER_VARIABLE = "DVMOUNT_TIER"
"""``image``, ``bubblewrap`` or ``plain`` demands that tier for every plan, instead of the best that works."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe found: what the tier is made of, or why it does not work and what to do."""

    tier: Tier
    detail: str = ""
    why: str = ""
    fix: str = ""

    @property
    def usable(self) -> bool:
        """Whether it works here."""
        return not self.why


class Tiers:
    """The tiers of this machine, each tried once by really running something, when it is first asked for.

    Parameters
    ----------
    hidden
        Directories that code must not see where that can be arranged.
    """

    def __init__(self, hidden: tuple[Path, ...] = ()) -> None:
        self._probes: dict[Tier, Callable[[], Sandbox]] = {
            "image": image.probe,
            "bubblewrap": lambda: bubblewrap.probe(hidden),
            "plain": plain.probe,
        }
        self._found: dict[Tier, Sandbox | StoreError] = {}
        self._cgroups: Cgroups | None = None

    @property
    def cgroups(self) -> Cgroups:
        """Where limits can be set."""
        if self._cgroups is None:
            self._cgroups = cgroups.probe()
        return self._cgroups

    def get(self, tier: Tier) -> Sandbox:
        """A tier, or `Unavailable` with the reason."""
        if tier not in self._found:
            try:
                self._found[tier] = self._probes[tier]()
            except StoreError as error:
                self._found[tier] = error
        found = self._found[tier]
        if isinstance(found, StoreError):
            raise found
        return found

    def look(self) -> list[Found]:
        """Every tier, best first."""
        return [self._look(tier) for tier in self._probes]

    def choose(self, plan: Plan, *, image_required: bool = False) -> Sandbox:
        """The tier for a plan: its image where it names one and that can be run, else the best without.

        Raises
        ------
        Unavailable
            If the image is required, or a tier demanded, and cannot be used.
        """
        demanded = os.environ.get(TIER_VARIABLE)
        if demanded:
            return self.get(_tier(demanded))
        if plan.image:
            try:
                return self.get("image")
            except StoreError as error:
                if image_required:
                    raise Unavailable(
                        f"image {plan.image} cannot be run: {error.message}", fix=error.fix
                    ) from error
        try:
            return self.get("bubblewrap")
        except StoreError:
            return self.get("plain")

    def _look(self, tier: Tier) -> Found:
        try:
            return Found(tier=tier, detail=self.get(tier).detail)
        except StoreError as error:
            return Found(tier=tier, why=error.message, fix=error.fix)


def _tier(name: str) -> Tier:
    for tier in get_args(Tier):
        if tier == name:
            return cast(Tier, tier)
    raise Invalid(f"{TIER_VARIABLE} is {name!r}", fix="set it to image, bubblewrap or plain, or unset it")
