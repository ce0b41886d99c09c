"""The W&B tracker: its parts under the protocol."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from jupyter_dvmount.tracking.model import Account, Run, Series, Settings, TrackedJob

from . import environment, server
from .directories import RunDirectories, history, marks
from .masking import mask


class WandB:
    """A `Tracker` of Weights & Biases."""

    name = "wandb"
    key_variable = "WANDB_API_KEY"
    run_directory = "wandb"

    def __init__(self) -> None:
        self._directories = RunDirectories()
        self._accounts: dict[tuple[str, str], Account] = {}

    def settings(self, variables: Mapping[str, str], defaults: Settings) -> Settings:
        """The settings of code that gets some variables of its own."""
        return environment.settings(variables, defaults)

    def run_id(self, job: TrackedJob, settings: Settings) -> str:
        """The id that the job's run gets unless its code chooses another."""
        return environment.run_id(job, settings)

    def environment(
        self, job: TrackedJob, settings: Settings, directory: str, *, has_key: bool
    ) -> dict[str, str]:
        """Variables for the job's process, without the key."""
        return environment.environment(job, settings, directory, has_key=has_key)

    def runs(self, directory: Path) -> list[Run]:
        """The runs found in a directory."""
        return self._directories.runs(directory)

    def marks(self, directory: Path) -> frozenset[str]:
        """Another set if there are other runs, or if one has begun to tell something."""
        return marks(directory)

    def mask(self, directory: Path, values: Collection[bytes]) -> None:
        """Overwrite values of secrets in all that was written below a directory."""
        mask(directory, values)

    def history(self, run: Path, *, points: int = 1000) -> list[Series]:
        """The metrics of one run directory."""
        return history(run, points=points)

    def account(self, settings: Settings, key: str) -> Account:
        """Ask the server whom a key belongs to, once."""
        known = self._accounts.get((settings.base_url, key))
        if known is None:
            known = self._accounts[settings.base_url, key] = server.account(settings, key)
        return known

    def url(self, account: Account, run: Run | str, settings: Settings) -> str | None:
        """The page of a run."""
        return server.url(account, run, settings)

    def sync(self, run: Path, settings: Settings, key: str) -> None:
        """Upload an offline run."""
        server.sync(run, settings, key)
