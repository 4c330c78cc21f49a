"""What the fuzzer has found is found no more; and every input that it starts from holds what it checks."""

from __future__ import annotations

import pytest

from fuzz.seeds import FINDS, find_paths
from fuzz.targets import TARGETS


@pytest.mark.parametrize(
    ("target", "find"), [(target, path.name) for target in TARGETS for path in find_paths(target)]
)
def test_a_find_is_none_any_more(target: str, find: str) -> None:
    TARGETS[target]((FINDS / target / find).read_bytes())
