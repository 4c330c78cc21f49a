"""Run a target on inputs that reach new code, until one fails.

Needs ``pip install -e '.[dev,fuzz]'``. An input that fails is kept in tests/hostile/finds/TARGET,
where the tests run it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import sys
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit("python -m fuzz: atheris is not installed: pip install -e '.[dev,fuzz]'")

os.environ["XDG_CACHE_HOME"] = os.devnull  # parsed queries are not kept: there will be many

with atheris.instrument_imports(include=["detector"]):
    from fuzz.targets import TARGETS

from fuzz.seeds import FINDS, SEEDS, find_paths, mutate_words, vocabulary

CORPORA = Path(__file__).with_name("corpora")
"""The inputs that led to new code, a folder for each target: the next run goes on from there."""
RUNS = {"formats": 100_000, "native": 1_000_000, "esql": 100_000, "kql": 200_000, "safe": 500_000}
SLOW = 60
"""Seconds that no input may take, on a machine that does other things too."""
LONGEST = 32_768
"""Bytes of an input."""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument(
        "--runs",
        type=int,
        help="inputs to try (default: "
        + ", ".join(f"{target} {runs:,}" for target, runs in RUNS.items())
        + ")",
    )
    parser.add_argument(
        "--seconds", type=int, default=0, help="stop after so many (default: not before all runs)"
    )
    arguments = parser.parse_args(argv)
    corpus = CORPORA / arguments.target
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in (
        *SEEDS[arguments.target](),
        *(path.read_bytes() for path in find_paths(arguments.target)),
    ):
        Path(corpus, hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    fuzz(arguments.target, corpus, arguments.runs or RUNS[arguments.target], arguments.seconds)


def fuzz(target: str, corpus: Path, runs: int, seconds: int) -> None:
    """Run a target; libFuzzer then ends the process."""
    failures = FINDS / target
    failures.mkdir(parents=True, exist_ok=True)
    options = [
        f"-runs={runs}",
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        f"-timeout={SLOW}",
        f"-report_slow_units={SLOW}",
        f"-artifact_prefix={failures}/",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
    ]

    def mutated(data: bytes, size: int, seed: int) -> bytes:
        dice = random.Random(seed)
        if dice.random() < 0.3:
            return bytes(atheris.Mutate(data, size))
        return mutate_words(data.decode(errors="replace"), target, dice).encode()[:size]

    atheris.Setup(
        [sys.argv[0], *options, str(corpus)],
        TARGETS[target],
        custom_mutator=mutated if vocabulary(target) else None,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
