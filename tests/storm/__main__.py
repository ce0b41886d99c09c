"""``python -m tests.storm --minutes N --work DIR``: says of each promise that it was kept, or what broke."""

from __future__ import annotations

import argparse
import logging
import random
from pathlib import Path

from .storm import OF_DASK, VICTIMS, Storm


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--work", type=Path, required=True, help="an empty directory")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--dask", action="store_true", help="run the datums on a Dask cluster")
    parser.add_argument("--victims", nargs="+", choices=[*VICTIMS, *OF_DASK], help="by default all there are")
    parser.add_argument("--tier", default="plain", help="sandbox of the code")
    parser.add_argument("--jobs", default="", help="URL of the database of jobs")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("tests.storm").info("seed %d", options.seed)
    storm = Storm(options.work, seed=options.seed, tier=options.tier, jobs=options.jobs, on_dask=options.dask)
    every = [*VICTIMS, *OF_DASK] if options.dask else [*VICTIMS]
    storm.rage(options.minutes * 60, options.victims or every)
    storm.check()


if __name__ == "__main__":
    main()
