"""Build EQL's conditions on fields in the syntax tree.

EQL has no null among its truth values: a condition on fields is true or false, also inside of
``not``. It is true if it is for one of the values of a field; a field without a value fulfils only
``== null``. Sources: Elasticsearch's EQL syntax reference, and the queries that its planner makes.
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
    """Make a condition of an expression that stands where one must."""
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
    """Return an expression that stands where a value must."""
    if isinstance(node, _CONDITIONS):
        raise EsqlError(node.span, "a value must stand here, not a condition")
    return node


def compare(
    operator: str, left: ast.Expression, right: ast.Expression, span: Span
) -> ast.Expression:
    """Make the condition of ``left == right`` and the other comparisons."""
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
    """Make the condition of ``!=``.

    Of a field it is the negation of ``==``, and true of one without a value; of a computed value it
    is a comparison, which null does not fulfil."""
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
    """Make the condition of ``like``, or of ``:``; a backslash stands for itself."""
    escaped = tuple(pattern.replace("\\", "\\\\") for pattern in patterns)
    return _patterns(left, escaped, False, ignore_case, span)


def regex(
    left: ast.Expression, patterns: Sequence[str], ignore_case: bool, span: Span
) -> ast.Expression:
    """Make the condition of ``regex``, in Lucene's language."""
    return _patterns(left, tuple(patterns), True, ignore_case, span)


def is_in(
    left: ast.Expression, options: Sequence[ast.Literal], ignore_case: bool, span: Span
) -> ast.Expression:
    """Make the condition of ``in``; null among the options counts for nothing."""
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
    """Make the condition of a function that is true or false.

    Elasticsearch makes a wildcard query of ``stringContains(field, "text")`` and of ``endsWith``,
    in which ``*`` and ``?`` are wildcards and a backslash escapes; rules rely on it. It makes none
    where the text is computed, or the field is."""
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
