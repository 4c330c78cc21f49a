"""The comparison operators of all query languages."""

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
"""The operator that means the same with its operands exchanged; others stay the same."""
