"""Earlier finds of the fuzzer, and its seeds.

Finds stay fixed, and every input that the fuzzer starts from holds what it checks.
"""

from __future__ import annotations

import pytest

from fuzz.seeds import FINDS, find_paths
from fuzz.targets import TARGETS


@pytest.mark.parametrize(
    ("target", "find"), [(target, path.name) for target in TARGETS for path in find_paths(target)]
)
def test_target_accepts_earlier_find(target: str, find: str) -> None:
    TARGETS[target]((FINDS / target / find).read_bytes())
