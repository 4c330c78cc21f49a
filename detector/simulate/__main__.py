"""Write the simulated trail and its answer key into a new directory."""

from __future__ import annotations

import sys
from pathlib import Path

from detector.simulate.answers import readme
from detector.simulate.replay import write
from detector.simulate.trail import deliveries


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m detector.simulate DIRECTORY", file=sys.stderr)
        return 2
    out = Path(arguments[0])
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
