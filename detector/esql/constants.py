"""Constants of a query, and what a string constant may stand for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from detector.ecs import values
from detector.ecs.values import SPANS
from detector.esql import ast
from detector.esql.errors import EsqlError, Span
from detector.esql.scope import CompiledExpr, constant
from detector.esql.timespan import DURATIONS, PERIODS, Timespan
from detector.text.suggest import nearest


def literal(value: Any) -> CompiledExpr:
    if isinstance(value, tuple):
        code = literal(value[0]) if value else literal(None)
        return constant(values.single(value), code.type)
    if value is None:
        return constant(None, "null")
    if isinstance(value, bool):
        return constant(value, "boolean")
    if isinstance(value, int):
        return constant(
            value, "integer" if values.in_range(value, "integer") is not None else "long"
        )
    return constant(value, "double" if isinstance(value, float) else "keyword")


def timespan(node: ast.Timespan) -> CompiledExpr:
    if node.unit in DURATIONS:
        return constant(Timespan(node.amount, node.unit), "time_duration")
    if node.unit in PERIODS:
        return constant(Timespan(node.amount, node.unit), "date_period")
    raise EsqlError(
        node.span, f"no unit of time {node.unit}{nearest(node.unit, (*DURATIONS, *PERIODS))}"
    )


FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "date": values.date_from_text,
    "ip": values.ip_from_text,
    "boolean": {"true": True, "false": False}.get,
}


def taken_as(code: CompiledExpr, type: str, span: Span) -> CompiledExpr:
    """A string constant as the ``type`` that is wanted; any other code as it is."""
    if code.type != "keyword" or not code.constant:
        return code
    if type in SPANS or type == "span":
        return spanned(code, span)
    if not (convert := FROM_TEXT.get(type)):
        return code
    found = []
    for text in values.many(code.value):
        if (value := convert(text)) is None:
            raise EsqlError(span, f'"{text}" is no {type}')
        found.append(value)
    return constant(values.single(found), type)  # type: ignore[arg-type]


def spanned(code: CompiledExpr, span: Span) -> CompiledExpr:
    """A timespan; text such as ``"30 seconds"`` is one too."""
    if (
        code.constant
        and code.type == "keyword"
        and (found := re.fullmatch(r"\s*([0-9]{1,18})\s*([A-Za-z]+)\s*", str(code.value)))
    ):
        return timespan(ast.Timespan(int(found[1]), found[2].lower(), span=span))
    if code.type not in SPANS:
        raise EsqlError(span, f"a timespan such as 30 seconds must stand here, not {code.type}")
    return code
