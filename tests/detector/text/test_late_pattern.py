"""Patterns that are compiled when they are first asked."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

from detector.text.late_pattern import late_pattern

COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deep copy": copy.deepcopy,
    "pickle": lambda pattern: pickle.loads(pickle.dumps(pattern)),
}


def test_it_answers_as_the_compiled_pattern() -> None:
    late, compiled = late_pattern("a(?P<b>b+)", re.IGNORECASE), re.compile("a(?P<b>b+)", re.I)

    assert (late.pattern, late.flags, late.groupindex) == (
        compiled.pattern,
        compiled.flags,
        compiled.groupindex,
    )
    assert late.sub("-", "xABBy") == compiled.sub("-", "xABBy") == "x-y"


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("is_asked", [False, True])
def test_a_copy_answers_as_its_original(copied: str, is_asked: bool) -> None:
    pattern = late_pattern(b"A+", re.IGNORECASE)
    if is_asked:
        assert pattern.findall(b"aabA") == [b"aa", b"A"]

    assert COPIES[copied](pattern).findall(b"aabA") == [b"aa", b"A"]
