"""The scalar and aggregate functions of ES|QL, and EQL's own.

Source: Elastic's ES|QL reference, "Functions and operators".
"""

from detector.esql.functions import (
    addresses,
    conversions,
    dates,
    eql,
    multivalues,
    numbers,
    text,
    trigonometry,
)
from detector.esql.functions.registry import FUNCTIONS, Function

__all__ = [
    "FUNCTIONS",
    "Function",
    "addresses",
    "conversions",
    "dates",
    "eql",
    "multivalues",
    "numbers",
    "text",
    "trigonometry",
]
