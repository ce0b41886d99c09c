"""The records that the parts of the pipeline engine hand to each other."""

from __future__ import annotations

from typing import Literal

import msgspec

from jupyter_dvmount.store.model import FileType

Action = Literal["run", "skip", "gone"]


class DatumInput(msgspec.Struct, frozen=True, kw_only=True):
    """One file or directory of a commit, as a datum sees it under ``/pfs/<name>``.

    Parameters
    ----------
    name
        Name of the input in the spec.
    repo, branch, commit
        Where it comes from.
    path
        Absolute path in the commit; ``/`` is the whole commit.
    type
        File or directory.
    hash
        64 hex digits that are equal exactly if what is there is equal.
    size
        Bytes of a file, or of everything below a directory.
    join_on, group_by
        What the captures of the glob made of the spec's expressions; empty without.
    lazy
        Read the data only when it is opened.
    empty_files
        Show files without their contents.
    """

    name: str
    repo: str
    branch: str
    commit: str
    path: str
    type: FileType
    hash: str
    size: int = 0
    join_on: str = ""
    group_by: str = ""
    lazy: bool = False
    empty_files: bool = False


class Datum(msgspec.Struct, frozen=True):
    """What one run of a pipeline's code gets to see.

    Parameters
    ----------
    id
        64 hex digits over the data and the code (`jupyter_dvmount.pipelines.datums.key`): a datum with
        this id that succeeded once need not run again.
    inputs
        Ordered by name and path; several of one name in a group.
    """

    id: str
    inputs: tuple[DatumInput, ...]

    @property
    def size(self) -> int:
        """Bytes of all inputs."""
        return sum(each.size for each in self.inputs)


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What would happen to one datum.

    Parameters
    ----------
    pipeline
        Name of the pipeline.
    action
        ``run``, ``skip`` (its results are taken over) or ``gone`` (they no longer belong to the output).
    datum
        Its id; of a gone one, the one that it had.
    reason
        Why, for people.
    inputs
        What it sees, as ``name:/path``.
    """

    pipeline: str
    action: Action
    datum: str
    reason: str
    inputs: tuple[str, ...]
