"""Builds conditions from Query DSL clauses, as Kibana's filters contain them.

Source: Elasticsearch's documentation of its Query DSL. Every clause is either exact on keyword
fields or refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from detector.esql import ast
from detector.esql.errors import QUERY_START, EsqlError
from detector.esql.field_checks import check_searchable
from detector.esql.like import escape_wildcards
from detector.esql.lucene.parser import parse_lucene
from detector.esql.tree_walk import join_conditions
from detector.rules.rule_file import RuleError

_BOUNDS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_UNRANKED = {"boost", "_name"}
"""Options of a clause that only affect scoring or naming, not what matches."""


def build_clause(query: Any) -> ast.Expression:
    """Build the condition of a clause. Raises RuleError."""
    if not isinstance(query, dict) or len(query) != 1:
        raise RuleError("a query clause must have one name, such as match_phrase")
    ((name, body),) = query.items()
    build = _CLAUSES.get(name)
    if build is None:
        raise RuleError(f"the query clause {name} is not supported")
    try:
        return build(body)
    except EsqlError as error:
        raise RuleError(error.message) from None
    except RecursionError:
        raise RuleError("the clauses are nested too deeply") from None


def negate(condition: ast.Expression) -> ast.Expression:
    """Negate a condition that is true or false, never null."""
    return ast.Not(condition, span=QUERY_START)


def field_match(field: object, operator: str, value: object) -> ast.FieldMatch:
    """Build a condition on a field. Raises RuleError or EsqlError."""
    if not isinstance(field, str) or not field:
        raise RuleError("a clause names no field")
    if "*" in field:
        raise RuleError(f"* in the name of a field ({field}) is not supported")
    column = ast.Column(field, span=QUERY_START)
    if operator != "exists":
        check_searchable(column)
    return ast.FieldMatch(column, operator, json_value_text(field, value), span=QUERY_START)


def json_value_text(field: str, value: object) -> str:
    """Write a JSON value as a field's text. Raises RuleError for null, a list or an object."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise RuleError(f"{field}: a text or a number is expected, not {type(value).__name__}")


def _body(body: Any, clause: str) -> tuple[str, Any]:
    """Return the field of a clause and its condition."""
    named = {name: value for name, value in _mapping(body, clause).items() if name not in _UNRANKED}
    if len(named) != 1:
        raise RuleError(f"{clause} must name one field")
    ((field, value),) = named.items()
    return field, value


def _mapping(value: Any, clause: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise RuleError(f"{clause}: an object is expected")
    return value


def _options(value: Any, clause: str, main: Sequence[str], *others: str) -> tuple[Any, bool]:
    """Return the value of a clause and whether case is ignored.

    The value is the clause itself or its first option in ``main``; ``others`` are allowed options.
    Raises RuleError for unknown options or without a value."""
    if not isinstance(value, dict):
        return value, False
    known = {*main, *others, *_UNRANKED}
    for name in value:
        if name not in known:
            raise RuleError(f"{clause}: the option {name} is not supported")
    for name in main:
        if name in value:
            return value[name], value.get("case_insensitive") is True
    raise RuleError(f"{clause}: the value is missing")


def _phrase(body: Any) -> ast.Expression:
    field, value = _body(body, "match_phrase")
    value, _ = _options(value, "match_phrase", ("query",))
    return field_match(field, ":", value)


def _match(body: Any) -> ast.Expression:
    field, value = _body(body, "match")
    if isinstance(value, dict) and value.get("type", "phrase") != "phrase":
        raise RuleError(f"match of the type {value['type']} is not supported")
    value, _ = _options(value, "match", ("query",), "type", "operator")
    return field_match(field, ":", value)


def _term(body: Any) -> ast.Expression:
    field, value = _body(body, "term")
    value, ignores_case = _options(value, "term", ("value",), "case_insensitive")
    if ignores_case:
        return _ignoring_case(field, escape_wildcards(json_value_text(field, value)))
    return field_match(field, ":", value)


def _terms(body: Any) -> ast.Expression:
    field, values = _body(body, "terms")
    if not isinstance(values, list):
        raise RuleError("terms: a list of values is expected")
    return join_conditions("or", [field_match(field, ":", value) for value in values])


def _range(body: Any) -> ast.Expression:
    field, limits = _body(body, "range")
    bounds = []
    for name, value in _mapping(limits, "range").items():
        if name in _BOUNDS and value is not None:
            bounds.append((_BOUNDS[name], json_value_text(field, value)))
        elif name == "format" and value == "strict_date_optional_time":
            continue
        elif name not in _BOUNDS and name not in _UNRANKED:
            raise RuleError(f"range: the option {name} is not supported")
    if not bounds:
        return field_match(field, "exists", "")
    column = field_match(field, ":", "").field
    return ast.RangeMatch(column, tuple(bounds), span=QUERY_START)


def _exists(body: Any) -> ast.Expression:
    return field_match(_mapping(body, "exists").get("field"), "exists", "")


def _wildcard(body: Any) -> ast.Expression:
    field, value = _body(body, "wildcard")
    main = ("value", "wildcard")
    value, ignores_case = _options(value, "wildcard", main, "case_insensitive", "rewrite")
    pattern = json_value_text(field, value)
    if ignores_case:
        return _ignoring_case(field, pattern)
    return field_match(field, "*", pattern)


def _prefix(body: Any) -> ast.Expression:
    field, value = _body(body, "prefix")
    value, ignores_case = _options(value, "prefix", ("value",), "case_insensitive", "rewrite")
    pattern = escape_wildcards(json_value_text(field, value)) + "*"
    if ignores_case:
        return _ignoring_case(field, pattern)
    return field_match(field, "*", pattern)


def _regexp(body: Any) -> ast.Expression:
    field, value = _body(body, "regexp")
    if isinstance(value, dict) and value.get("flags", "ALL") != "ALL":
        raise RuleError(f"regexp: the flags {value['flags']} are not supported")
    ignored = ("flags", "max_determinized_states", "rewrite")
    value, _ = _options(value, "regexp", ("value",), *ignored)
    return field_match(field, "regexp", value)


def _query_string(body: Any) -> ast.Expression:
    for name in _mapping(body, "query_string"):
        if name not in {"query", "analyze_wildcard", *_UNRANKED}:
            raise RuleError(f"query_string: the option {name} is not supported")
    return parse_lucene(json_value_text("query_string", body.get("query")))


def _bool(body: Any) -> ast.Expression:
    parts = dict(_mapping(body, "bool"))
    needed = parts.pop("minimum_should_match", None)
    for name in parts:
        if name not in {"must", "filter", "should", "must_not", *_UNRANKED}:
            raise RuleError(f"bool: {name} is not supported")
    required = _clauses(parts.get("must")) + _clauses(parts.get("filter"))
    optional = _clauses(parts.get("should"))
    if needed is None:
        needed = 0 if required or not optional else 1
    if needed == 1:
        required.append(join_conditions("or", optional))
    elif needed != 0 and needed == len(optional):
        required += optional
    elif needed != 0:
        raise RuleError(f"bool: minimum_should_match {needed} is not supported")
    required += [negate(clause) for clause in _clauses(parts.get("must_not"))]
    return join_conditions("and", required)


def _clauses(value: Any) -> list[ast.Expression]:
    if value is None:
        return []
    return [build_clause(clause) for clause in (value if isinstance(value, list) else [value])]


def _ignoring_case(field: str, pattern: str) -> ast.FieldMatch:
    """Build a condition on a wildcard pattern whose ASCII letters match either case."""
    parts = []
    for escaped, plain in re.findall(r"\\(.)|(.)", pattern, re.DOTALL):
        character = escaped or plain
        if plain == "*":
            parts.append(".*")
        elif plain == "?":
            parts.append(".")
        elif character.isascii() and character.isalpha():
            parts.append(f"[{character.lower()}{character.upper()}]")
        else:
            parts.append(character if character.isalnum() else f"\\{character}")
    return field_match(field, "regexp", "".join(parts))


_CLAUSES: dict[str, Callable[[Any], ast.Expression]] = {
    "bool": _bool,
    "exists": _exists,
    "match": _match,
    "match_all": lambda _: join_conditions("and", []),
    "match_none": lambda _: join_conditions("or", []),
    "match_phrase": _phrase,
    "prefix": _prefix,
    "query_string": _query_string,
    "range": _range,
    "regexp": _regexp,
    "term": _term,
    "terms": _terms,
    "wildcard": _wildcard,
}
