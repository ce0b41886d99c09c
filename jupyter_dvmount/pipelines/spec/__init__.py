"""A pipeline's spec: read from text, checked, and as records.

`parse` and `load` are the way in; whoever holds a `PipelineSpec` holds a valid one.
"""

from .model import (
    Cron,
    DatumSetSpec,
    Egress,
    Input,
    Metadata,
    Notebook,
    Pfs,
    Pipeline,
    PipelineSpec,
    Resources,
    Secret,
    Tracking,
    Transform,
    Trigger,
)
from .parsing import ParsedSpec, load, parse, parse_value
from .places import Places, frame

__all__ = [
    "Cron",
    "DatumSetSpec",
    "Egress",
    "Input",
    "Metadata",
    "Notebook",
    "ParsedSpec",
    "Pfs",
    "Pipeline",
    "PipelineSpec",
    "Places",
    "Resources",
    "Secret",
    "Tracking",
    "Transform",
    "Trigger",
    "frame",
    "load",
    "parse",
    "parse_value",
]
