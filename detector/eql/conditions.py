"""Build the syntax tree of EQL's conditions on fields.

EQL's logic is two-valued: a condition on fields is true or false, never null, also inside ``not``.
It is true if any value of the field satisfies it; a field without a value satisfies only
``== null``. Sources: Elasticsearch's EQL syntax reference, and the queries that its planner builds.
"""

from __future__ import annotations

from collections.abc import Sequence

from detector.esql import ast
from detector.esql.comparisons import FLIPPED
from detector.esql.errors import EsqlError, Span
from detector.esql.like import escape_wildcards
from detector.esql.tree_walk import walk

_CONDITIONS = (ast.AnyValue, ast.FieldMatch, ast.Not, ast.Logic)
_WILDCARD_FUNCTIONS = {"eql.stringContains": ("*", "*"), "eql.endsWith": ("*", "")}


def condition(node: ast.Expression) -> ast.Expression:
    """Convert an expression at the position of a condition into a condition.

    A field becomes ``field == true``. Raises EsqlError for a value."""
    match node:
        case ast.Literal(bool()):
            return node
        case ast.Literal() | ast.Arithmetic() | ast.Negate():
            raise EsqlError(node.span, "a condition must stand here, not a value")
        case ast.Call():
            return _function_condition(node)
        case ast.Column():
            is_true = ast.Compare("==", node, ast.Literal(True, span=node.span), span=node.span)
            return ast.AnyValue(is_true, span=node.span)
    return node


def value(node: ast.Expression) -> ast.Expression:
    """Return an expression at the position of a value. Raises EsqlError for a condition."""
    if isinstance(node, _CONDITIONS):
        raise EsqlError(node.span, "a value must stand here, not a condition")
    return node


def compare(
    operator: str, left: ast.Expression, right: ast.Expression, span: Span
) -> ast.Expression:
    """Build the condition of ``==`` and the other comparisons.

    Raises EsqlError if both sides are fields."""
    if _is_constant(left) and not _is_constant(right):
        left, right = right, left
        operator = FLIPPED.get(operator, operator)
    if not _is_constant(right):
        raise EsqlError(
            right.span, "two fields cannot be compared in EQL; compare each with a constant"
        )
    if operator == "!=":
        return _not_equal(left, right, span)
    if isinstance(right, ast.Literal):
        if right.value is None:
            return _is_null(operator, left, span)
        if isinstance(right.value, bool) and not isinstance(left, ast.Column):
            return _is_boolean(operator, left, right.value, span)
        if isinstance(left, ast.Column) and isinstance(right.value, str):
            equality = {"==": ":"}
            return ast.FieldMatch(left, equality.get(operator, operator), right.value, span=span)
    return ast.AnyValue(ast.Compare(operator, value(left), right, span=span), span=span)


def _not_equal(left: ast.Expression, right: ast.Expression, span: Span) -> ast.Expression:
    """Build the condition of ``!=``.

    On a field it is the negation of ``==``, hence true if the field has no value; on a computed
    value it is a comparison, which null does not satisfy."""
    is_null = isinstance(right, ast.Literal) and right.value is None
    is_boolean = isinstance(right, ast.Literal) and isinstance(right.value, bool)
    if is_null or is_boolean or isinstance(left, ast.Column):
        return ast.Not(compare("==", left, right, span), span=span)
    return ast.AnyValue(ast.Compare("!=", value(left), right, span=span), span=span)


def _is_null(operator: str, left: ast.Expression, span: Span) -> ast.Expression:
    if operator != "==":
        raise EsqlError(span, f"null can stand after == and != only, not after {operator}")
    if isinstance(left, ast.Column):
        return ast.Not(ast.FieldMatch(left, "exists", "", span=span), span=span)
    return ast.AnyValue(ast.IsNull(value(left), span=span), span=span)


def _is_boolean(operator: str, left: ast.Expression, wanted: bool, span: Span) -> ast.Expression:
    if operator != "==":
        raise EsqlError(span, f"{operator} does not compare boolean values")
    if wanted:
        return condition(left)
    return ast.Not(condition(left), span=span)


def like(
    left: ast.Expression, patterns: Sequence[str], ignore_case: bool, span: Span
) -> ast.Expression:
    """Build the condition of ``like`` or ``:``; a backslash in a pattern is literal."""
    escaped = tuple(pattern.replace("\\", "\\\\") for pattern in patterns)
    return _patterns(left, escaped, False, ignore_case, span)


def regex(
    left: ast.Expression, patterns: Sequence[str], ignore_case: bool, span: Span
) -> ast.Expression:
    """Build the condition of ``regex``; patterns use Lucene's syntax."""
    return _patterns(left, tuple(patterns), True, ignore_case, span)


def is_in(
    left: ast.Expression, options: Sequence[ast.Literal], ignore_case: bool, span: Span
) -> ast.Expression:
    """Build the condition of ``in``; null options are ignored.

    Raises EsqlError if every option is null."""
    known = tuple(option for option in options if option.value is not None)
    if not known:
        raise EsqlError(span, "null is in no list; write == null")
    if ignore_case:
        return _patterns(left, tuple(map(_literal_pattern, known)), False, True, span)
    return ast.AnyValue(ast.In(value(left), known, span=span), span=span)


def _literal_pattern(option: ast.Literal) -> str:
    if not isinstance(option.value, str):
        raise EsqlError(option.span, "in~ compares strings only")
    return escape_wildcards(option.value)


def _patterns(
    left: ast.Expression, patterns: tuple[str, ...], regular: bool, ignore_case: bool, span: Span
) -> ast.Expression:
    node: ast.Expression = ast.Like(value(left), patterns, regular, span=span)
    if ignore_case:
        node = ast.InsensitiveLike(value(left), patterns, regular, span=span)
    return ast.AnyValue(node, span=span)


def _function_condition(node: ast.Call) -> ast.Expression:
    """Build the condition of a boolean function call.

    Elasticsearch turns ``stringContains(field, "text")`` and ``endsWith`` into wildcard queries, in
    which ``*`` and ``?`` are wildcards and a backslash escapes; rules rely on this. It does not if
    the field or the text is computed."""
    name = node.name.removesuffix("~")
    match node.arguments:
        case (ast.Column() as field, ast.Literal(str(text))) if name in _WILDCARD_FUNCTIONS:
            if not text:
                raise EsqlError(node.span, "an empty text is in each or in none: leave it out")
            before, after = _WILDCARD_FUNCTIONS[name]
            pattern = f"{before}{text}{after}"
            return _patterns(field, (pattern,), False, node.name.endswith("~"), node.span)
    return ast.AnyValue(node, span=node.span)


def _is_constant(node: ast.Expression) -> bool:
    return not any(isinstance(part, ast.Column) for part in walk(node))
