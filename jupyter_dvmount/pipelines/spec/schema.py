"""The published JSON Schema of specs, made from the records.

``python -m jupyter_dvmount.pipelines.spec.schema`` writes it anew after they have changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from .model import PipelineSpec

FILE = Path(__file__).with_name("pipeline.schema.json")
"""The schema as it is shipped."""


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of a spec in snake_case, the spelling to write."""
    (reference,), definitions = msgspec.json.schema_components((PipelineSpec,), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "jupyter-dvmount pipeline",
        **reference,
        "$defs": definitions,
    }


def text() -> str:
    """The schema as it stands in its file."""
    return msgspec.json.format(msgspec.json.encode(schema(), order="deterministic"), indent=2).decode() + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
