"""Write the simulated trail and its answer key into a new directory."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from detector.simulate.answers import readme
from detector.simulate.replay import write
from detector.simulate.trail import deliveries


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m detector.simulate", description=__doc__)
    parser.add_argument("directory", metavar="DIRECTORY", type=Path, help="made; not there yet")
    out: Path = parser.parse_args(arguments).directory
    try:
        out.mkdir(parents=True)
    except FileExistsError:
        print(f"{out} is there already: remove it, or name another directory", file=sys.stderr)
        return 1
    write(out)
    (out / "README.md").write_text(readme(deliveries()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
