"""The examples in the documentation work as they stand there."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from jupyter_dvmount.store import VersionStore

SECTION = (
    Path("docs/python.md").read_text(encoding="utf-8").split("\n## pandas, pyarrow")[1].split("\n## ")[0]
)
EXAMPLES = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


@pytest.fixture
def filled(store: VersionStore) -> VersionStore:
    store.create_repo("tables")
    for price in (1, 2):
        with store.modify("tables", "master") as writer:
            writer.put("/2026/05.csv", f"price\n{price}\n".encode())
    with store.modify("images", "master") as writer:
        writer.put("/pets/cat.png", PNG)
    return store


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_run(example: str, filled: VersionStore) -> None:
    needed = {"PIL": "pillow", "pandas": "pandas", "pyarrow": "pyarrow", "dask": "dask[dataframe]"}
    for module in re.findall(r"^(?:import|from) (\w+)", example, re.MULTILINE):
        if find_spec(module) is None:
            pytest.skip(f"{needed[module]} is not installed")
    before = {repo: len(list(filled.list_commits(repo))) for repo in ("tables", "images")}
    exec(compile(example, "docs/python.md", "exec"), {})
    made = sum(len(list(filled.list_commits(repo))) - count for repo, count in before.items())
    assert made == 1, "every example makes one commit"
    assert list(filled.fsck(full=True)) == []


def test_there_is_an_example_for_each_library() -> None:
    assert [
        word for word in ("pandas", "pyarrow", "PIL", "dask") if f" {word}" not in "".join(EXAMPLES)
    ] == []
