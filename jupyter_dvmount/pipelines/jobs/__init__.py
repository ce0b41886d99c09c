"""The database of pipelines and jobs: what is to be done, and what was done.

What it tells is here; `.database` and the modules of tables are imported by those who use them.
"""

from .records import (
    FINAL,
    DatumCounts,
    DatumInfo,
    DatumState,
    Job,
    JobInput,
    JobState,
    Part,
    PipelineChange,
    PipelineInfo,
    RunStatus,
    Tracked,
    TrackedRun,
)

__all__ = [
    "FINAL",
    "DatumCounts",
    "DatumInfo",
    "DatumState",
    "Job",
    "JobInput",
    "JobState",
    "Part",
    "PipelineChange",
    "PipelineInfo",
    "RunStatus",
    "Tracked",
    "TrackedRun",
]
