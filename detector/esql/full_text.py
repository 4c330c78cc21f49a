"""Compile ES|QL's full-text search: the operator ``:`` and the search functions.

On keyword fields they match exactly: one of the values equals the text. They are never null.
Source: Elastic's ES|QL reference, "Search functions".
"""

from __future__ import annotations

from detector.esql import ast, kql
from detector.esql.errors import EsqlError, Span
from detector.esql.field_checks import check_searchable
from detector.esql.lucene.parser import parse_lucene
from detector.esql.tree_walk import join_conditions

SEARCH_FUNCTIONS = frozenset({"kql", "qstr", "match", "match_phrase", "multi_match", "term"})
_OF_QUERIES = {"kql": kql.parse_kql, "qstr": parse_lucene}


def search_condition(call: ast.Call) -> ast.Expression:
    """Build the condition of a search function's call. Raises EsqlError for bad arguments."""
    if call.name == "multi_match":
        return _multi_match(call)
    parse = _OF_QUERIES.get(call.name)
    match call.arguments:
        case [ast.Literal(str(text), span=span)] if parse is not None:
            return parse(text, span)
        case [field, value] if parse is None:
            return match_condition(field, value, call.span)
    if parse is not None:
        raise EsqlError(call.span, f"{call.name} takes one string")
    raise EsqlError(call.span, f"{call.name} takes a field and a constant; leave out its options")


def _multi_match(call: ast.Call) -> ast.Expression:
    """Build the condition that one of several fields has a constant as a value."""
    if len(call.arguments) < 2:
        raise EsqlError(call.span, "multi_match takes a constant and the fields to search")
    value, *fields = call.arguments
    conditions = [match_condition(field, value, call.span) for field in fields]
    return join_conditions("or", conditions, call.span)


def match_condition(field: ast.Expression, value: ast.Expression, span: Span) -> ast.FieldMatch:
    """Build the condition that one of a field's values equals ``value``. Raises EsqlError.

    A cast of the field selects one of several mapped types; it is ignored, as fields have one type
    here."""
    if isinstance(field, ast.Cast):
        field = field.operand
    if not isinstance(field, ast.Column):
        raise EsqlError(field.span, "the name of a field must stand here")
    check_searchable(field)
    match value:
        case ast.Literal(bool() as known):
            text = str(known).lower()
        case ast.Literal(str() | int() | float() as known):
            text = str(known)
        case _:
            raise EsqlError(value.span, "one constant must stand here")
    return ast.FieldMatch(field, ":", text, span=span)
