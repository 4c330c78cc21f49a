"""Compile Sigma's conditions on fields.

They are two-valued: true if any of the field's values passes, otherwise false.
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from detector.ecs.values import ip_from_text, ip_order, many, number_from_text
from detector.esql import ast
from detector.esql.comparisons import INEQUALITIES
from detector.esql.errors import EsqlError
from detector.esql.expressions.scope import ColumnScope, CompiledExpr
from detector.esql.like import wildcard
from detector.esql.regex import Regex
from detector.text.fold import fold
from detector.text.linear_regex import full_matcher

Test = Callable[[str], bool]
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "equal": operator.eq,
    "contains": operator.contains,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


def compile_value_match(node: ast.ValueMatch, scope: ColumnScope) -> CompiledExpr:
    """Compile a condition. Raises EsqlError for a value that is invalid for its operator."""
    read = scope.find(node.field.name, node.field.span).read
    if node.operator == "null":
        return CompiledExpr(lambda row: read(row) is None, "boolean")
    test = _test(node)

    def matches(row: Any) -> bool:
        value = read(row)
        if isinstance(value, list):
            return any(map(test, value))
        return value is not None and test(value)

    return CompiledExpr(matches, "boolean")


def compile_same_text(node: ast.SameText, scope: ColumnScope) -> CompiledExpr:
    """Compile a comparison of two fields; it is false if one of them has no value."""
    read_left = scope.find(node.left.name, node.left.span).read
    read_right = scope.find(node.right.name, node.right.span).read
    compare = _COMPARISONS[node.operator]
    normalize = _normalizer(node.cased)

    def matches(row: Any) -> bool:
        lefts = [normalize(value) for value in many(read_left(row))]
        rights = [normalize(value) for value in many(read_right(row))]
        return any(compare(left, right) for left in lefts for right in rights)

    return CompiledExpr(matches, "boolean")


def _normalizer(cased: bool) -> Callable[[str], str]:
    return str if cased else fold


def _test(node: ast.ValueMatch) -> Test:
    """Compile a test of a single value of the field."""
    if node.operator == "regex":
        return _regex_test(node)
    if node.operator == "cidr":
        return _network_test(node)
    if node.operator in INEQUALITIES:
        return _order_test(node)
    normalize = _normalizer(node.cased)
    test = _text_test(node, [normalize(value) for value in node.values])
    if node.cased:
        return test
    return lambda value: test(fold(value))


def _text_test(node: ast.ValueMatch, values: Sequence[str]) -> Test:
    match node.operator:
        case "equal":
            return frozenset(values).__contains__
        case "contains":
            return lambda text: any(value in text for value in values)
        case "startswith":
            prefixes = tuple(values)
            return lambda text: text.startswith(prefixes)
        case "endswith":
            suffixes = tuple(values)
            return lambda text: text.endswith(suffixes)
    assert node.operator == "like", node.operator
    try:
        return full_matcher("|".join(f"(?:{wildcard(value)})" for value in values))
    except ValueError as error:
        raise EsqlError(node.span, str(error)) from None


def _regex_test(node: ast.ValueMatch) -> Test:
    """Compile a test whether one of the regular expressions matches anywhere in a text."""
    flags = 0
    if not node.cased:
        flags = re.IGNORECASE
    try:
        regexes = [Regex(value, flags) for value in node.values]
    except ValueError as error:
        raise EsqlError(node.span, str(error)) from None
    return lambda text: any(regex.search(text) is not None for regex in regexes)


def _network_test(node: ast.ValueMatch) -> Test:
    bounds = []
    for value in node.values:
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise EsqlError(node.span, f"{value} is not a network such as 10.0.0.0/8") from None
        bounds.append((ip_order(str(network[0])), ip_order(str(network[-1]))))

    def is_inside(text: str) -> bool:
        address = ip_from_text(text)
        if address is None:
            return False
        position = ip_order(address)
        return any(first <= position <= last for first, last in bounds)

    return is_inside


def _order_test(node: ast.ValueMatch) -> Test:
    compare = INEQUALITIES[node.operator]
    limits = [number_from_text(value, "double") for value in node.values]
    if None in limits:
        raise EsqlError(node.span, f"{node.operator} compares numbers")

    def matches(text: str) -> bool:
        number = number_from_text(text, "double")
        return number is not None and any(compare(number, limit) for limit in limits)

    return matches
