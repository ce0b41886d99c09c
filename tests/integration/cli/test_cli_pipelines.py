"""Pipelines from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.cli.command import Dvmount

SPECS = """
pipeline: {name: edges}
input: {pfs: {repo: images, glob: "/*", s3: true}}
transform: {cmd: [python3, /edges.py]}
---
pipeline: {name: montage}
input: {cross: [{pfs: {repo: edges, glob: /}}, {pfs: {repo: images, glob: /}}]}
transform: {cmd: [sh], stdin: [ls]}
"""


def test_explain_says_what_a_pipeline_would_do_and_changes_nothing(dvmount: Dvmount, images: str) -> None:
    Path("specs.yaml").write_text(SPECS)
    before = dvmount("list", "repo")
    result = dvmount.run("explain", "pipeline", "-f", "specs.yaml", "-o", "json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert {(each["pipeline"], each["action"]) for each in found} == {("edges", "run")}
    assert found[0]["reason"].startswith("new data /")
    assert len(found[0]["datum"]) == 64
    assert result.stderr.splitlines() == [
        "warning: edges: input.pfs.s3 has no effect: the files are below /pfs as ever",
        f"edges: {len(found)} run",
        "montage: nothing to do: no commit on edges@master yet",
    ]
    assert dvmount("list", "repo") == before


def test_explain_reads_standard_input_in_a_pipe(start, images: str) -> None:
    process = start("explain", "pipeline", "-f", "-")
    output, errors = process.communicate(SPECS.encode(), timeout=60)
    assert process.returncode == 0
    assert output.startswith(b"edges\trun\t")
    assert b"edges: " in errors


def test_a_spec_with_an_error_shows_nothing_but_the_error(dvmount: Dvmount, images: str) -> None:
    Path("bad.yaml").write_text(SPECS.replace("glob: /}", "globb: /}"))
    assert dvmount.error("explain", "pipeline", "-f", "bad.yaml") == (
        "bad.yaml: document 2: unknown field input.cross[0].pfs.globb; did you mean 'glob'?"
    )
    Path("absent.yaml").write_text(SPECS.replace("repo: images, glob: /}", "repo: image, glob: /}"))
    line = dvmount.run("explain", "pipeline", "-f", "absent.yaml").stderr.splitlines()[-1]
    assert line == "error: montage: no repo 'image'; create repo image"
