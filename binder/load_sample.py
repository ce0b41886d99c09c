"""Put sample data into the version store: photographs with a history, and a table.

Running it again adds only what is missing. The photographs come with scikit-image and the table with
scikit-learn, so that nothing is downloaded. The store is the configured one (``DVMOUNT_STORE``).
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import jupyter_dvmount as dvm
from jupyter_dvmount.store import CommitWriter, StoreError, VersionStore

PHOTOGRAPHS = {
    "/animals/cat.png": "chelsea.png",
    "/objects/coffee.png": "coffee.png",
    "/objects/coins.png": "coins.png",
    "/people/astronaut.png": "astronaut.png",
    "/people/cameraman.png": "camera.png",
    "/space/hubble.jpg": "hubble_deep_field.jpg",
    "/space/moon.png": "moon.png",
    "/space/rocket.jpg": "rocket.jpg",
}
"""Path in the repository → file in scikit-image's own package."""
GREY = ("/objects/coins.png", "/people/cameraman.png")


def main() -> None:
    """Load everything that is not there yet."""
    with dvm.open_store() as store:
        repo(store, "images", "Photographs from scikit-image")
        step(store, "images", "master", "Animals and objects", photographs("animals", "objects"))
        step(store, "images", "master", "People", photographs("animals", "objects", "people"))
        step(store, "images", "master", "Space", photographs("animals", "objects", "people", "space"))
        if "colour" not in {branch.name for branch in store.list_branches("images")}:
            store.create_branch("images", "colour", head="master")
        step(store, "images", "colour", "Leave out what is grey", without_grey)
        repo(store, "iris", "Fisher's measurements of 150 flowers")
        step(store, "iris", "master", "The table as CSV", lambda writer: writer.put("/iris.csv", iris()))
        print(f"sample data is in {store.url}: images@master, images@colour, iris@master")


def repo(store: VersionStore, name: str, description: str) -> None:
    if name not in {each.name for each in store.list_repos()}:
        store.create_repo(name, description=description)


def step(
    store: VersionStore, repo: str, branch: str, message: str, change: Callable[[CommitWriter], None]
) -> None:
    """Make one commit, known by its message, unless an earlier run has made it."""
    branches = {each.name: each.head for each in store.list_branches(repo)}
    done = store.list_commits(repo, branch=branch) if branches.get(branch) else ()
    if message in {commit.message for commit in done}:
        return
    with store.modify(repo, branch, message=message) as writer:
        change(writer)


def photographs(*folders: str) -> Callable[[CommitWriter], None]:
    """Put the photographs of some folders and the table of labels that belongs to them."""

    def put(writer: CommitWriter) -> None:
        data = files("skimage.data")
        chosen = [path for path in PHOTOGRAPHS if path.split("/")[1] in folders]
        for path in chosen:
            writer.put(path, data.joinpath(PHOTOGRAPHS[path]).read_bytes())
        rows = [[path.lstrip("/"), path.split("/")[1]] for path in chosen]
        writer.put("/labels.csv", table([["file", "label"], *rows]))

    return put


def without_grey(writer: CommitWriter) -> None:
    for path in GREY:
        writer.delete(path)


def iris() -> bytes:
    from sklearn.datasets import load_iris

    data = load_iris()
    header = [name.removesuffix(" (cm)").replace(" ", "_") + "_cm" for name in data.feature_names]
    rows = zip(data.data.tolist(), data.target_names[data.target].tolist(), strict=True)
    return table([[*header, "species"], *([*measures, species] for measures, species in rows)])


def table(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


if __name__ == "__main__":
    try:
        main()
    except (StoreError, ImportError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
