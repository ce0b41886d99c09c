"""Datums: which pieces of the inputs the code is run on, and which of them need not run again."""

from .code import Code, code_of
from .enumerate import Heads, branches, current_heads, enumerate_datums
from .select import Known, Selected, select
from .sets import in_sets, set_size

__all__ = [
    "Code",
    "Heads",
    "Known",
    "Selected",
    "branches",
    "code_of",
    "current_heads",
    "enumerate_datums",
    "in_sets",
    "select",
    "set_size",
]
