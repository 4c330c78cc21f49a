"""The operators of comparisons, whatever language they are written in."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

INEQUALITIES: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    **INEQUALITIES,
}
FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
"""The operators that mean the same with their sides exchanged."""
