"""Compile sums and differences of dates and timespans.

As in ES|QL, a text constant added to or subtracted from either is converted to a date.
"""

from __future__ import annotations

from detector.ecs.values import SPANS
from detector.esql import ast
from detector.esql.errors import EsqlError
from detector.esql.expressions.constants import coerce_text
from detector.esql.expressions.null_propagation import propagate_null, single_getter
from detector.esql.expressions.scope import CompiledExpr, constant
from detector.text.time import within_calendar


def compile_date_arithmetic(
    node: ast.Arithmetic, left: CompiledExpr, right: CompiledExpr
) -> CompiledExpr | None:
    """Compile ``+`` or ``-``; return None if no date or timespan is involved.

    Raises EsqlError for a date and a text, which must be written as a timespan instead."""
    types = {left.type, right.type}
    if types == {"date", "keyword"}:
        text = node.left if left.type == "keyword" else node.right
        raise EsqlError(
            text.span,
            f"a text beside a date is a date, and {node.operator} takes one date only; "
            "write a timespan without quotes, such as 1 day",
        )
    if right.type in SPANS:
        left = coerce_text(left, "date", node.left.span)
    if left.type in SPANS:
        right = coerce_text(right, "date", node.right.span)
    if left.type in SPANS and left.type == right.type and left.constant and right.constant:
        amount = right.value if node.operator == "+" else right.value.negative()
        return constant(left.value.plus(amount), left.type)
    return _shift_date(left, right, node.operator)


def _shift_date(left: CompiledExpr, right: CompiledExpr, sign: str) -> CompiledExpr | None:
    """Compile a date plus or minus a timespan; None for other types."""
    times = 1 if sign == "+" else -1
    if left.type in SPANS and right.type == "date" and sign == "+":
        left, right = right, left
    if left.type != "date" or right.type not in SPANS:
        return None
    return CompiledExpr(
        propagate_null(
            lambda date, amount: within_calendar(amount.added_to(date, times)),
            [single_getter(left), single_getter(right)],
        ),
        "date",
        constant=left.constant and right.constant,
    )
