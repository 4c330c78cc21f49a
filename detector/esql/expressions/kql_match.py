"""KQL's conditions on fields: two-valued, and about any of the values that a field has."""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable
from typing import Any

from detector.ecs.values import Type, ip_order, number_from_text, order
from detector.esql import ast
from detector.esql.errors import EsqlError
from detector.esql.expressions.constants import TEXT_CONVERTERS
from detector.esql.expressions.scope import ColumnScope, CompiledExpr
from detector.esql.like import matcher

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(node: ast.FieldMatch, scope: ColumnScope) -> CompiledExpr:
    """Raises EsqlError where the value does not fit the field's type."""
    code = scope.find(node.field.name, node.field.span)
    read = code.read
    if node.operator == "exists":
        return CompiledExpr(lambda row: read(row) is not None, "boolean")
    fits = _test(node, code.type)

    def held(row: Any) -> bool:
        value = read(row)
        if isinstance(value, list):
            return any(map(fits, value))
        return value is not None and fits(value)

    return CompiledExpr(held, "boolean")


def _test(node: ast.FieldMatch, type: Type) -> Callable[[Any], bool]:
    if node.operator == "*":
        if type != "keyword":
            raise EsqlError(
                node.span, f"{node.field.name} is of type {type}, in which * stands for nothing"
            )
        return matcher((node.value,), False, node.span)
    if node.operator in _ORDERS:
        return _ordered(node, type)
    if type == "ip" and "/" in node.value:
        return _in_network(node)
    wanted = _value(node, type)
    return lambda value: bool(value == wanted)


def _ordered(node: ast.FieldMatch, type: Type) -> Callable[[Any], bool]:
    compare, by = _ORDERS[node.operator], order(type)
    edge = by(_value(node, type))
    return lambda value: compare(by(value), edge)


def _in_network(node: ast.FieldMatch) -> Callable[[Any], bool]:
    try:
        network = ipaddress.ip_network(node.value, strict=False)
    except ValueError:
        raise EsqlError(node.span, f"{node.value} is no network") from None
    first, last = ip_order(str(network[0])), ip_order(str(network[-1]))
    return lambda value: first <= ip_order(value) <= last


def _value(node: ast.FieldMatch, type: Type) -> Any:
    if type == "keyword":
        return node.value
    found = (
        TEXT_CONVERTERS[type](node.value)
        if type in TEXT_CONVERTERS
        else number_from_text(node.value, type)
    )
    if found is None:
        raise EsqlError(node.span, f"{node.field.name} is of type {type}, and {node.value} is none")
    return found
