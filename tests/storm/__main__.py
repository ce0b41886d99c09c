"""``python -m tests.storm --minutes N --work DIR``: says of each promise that it was kept, or what broke."""

from __future__ import annotations

import argparse
import logging
import random
from pathlib import Path

from .storm import VICTIMS, Storm


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--work", type=Path, required=True, help="an empty directory")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--victims", nargs="+", choices=VICTIMS, default=["controller", "agent", "keeper"])
    parser.add_argument("--tier", default="plain", help="sandbox of the code")
    parser.add_argument("--jobs", default="", help="URL of the database of jobs")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("tests.storm").info("seed %d", options.seed)
    storm = Storm(options.work, seed=options.seed, tier=options.tier, jobs=options.jobs)
    storm.rage(options.minutes * 60, options.victims)
    storm.check()


if __name__ == "__main__":
    main()
