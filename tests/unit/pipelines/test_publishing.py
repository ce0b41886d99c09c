"""From a cell to a spec."""

from __future__ import annotations

import pytest

from jupyter_dvmount.pipelines.publishing import cell_spec
from jupyter_dvmount.store import Invalid

CELL = 'parts = """one\x0ctwo\u2028three\x85"""\n\nif parts:\n    print(parts)\n'


def test_the_script_is_the_cell_exactly() -> None:
    stdin = cell_spec("p", CELL, input="images:/*").spec.transform.stdin
    assert "".join(f"{line}\n" for line in stdin) == CELL


def test_an_input_is_named_as_everywhere_whatever_the_project_of_the_pipeline() -> None:
    spec = cell_spec("vision/p", "pass", input={"a": "images:/*", "b": "sound/clips@v1:/"}).spec
    assert spec.name == "vision/p"
    sources = [leaf.source for leaf in spec.input.leaves()]
    assert sources == ["images", "sound/clips"]


def test_fields_of_the_transform_add_to_the_cell() -> None:
    fields = {"transform": {"env": {"LEVEL": "3"}}, "datum_tries": 1}
    spec = cell_spec("p", "pass", input="images:/*", image="python:3", fields=fields).spec
    assert (spec.transform.cmd, spec.transform.image) == (("python3", "-"), "python:3")
    assert (spec.transform.env, spec.datum_tries) == ({"LEVEL": "3"}, 1)


def test_what_is_no_python_is_refused_with_its_line() -> None:
    with pytest.raises(Invalid, match="line 2 of the cell"):
        cell_spec("p", "x = 1\n%time x", input="images:/*")
