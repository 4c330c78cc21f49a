"""Builds the conditions of the ``filters`` that a rule has in addition to its query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detector.esql import ast
from detector.esql.tree_walk import join_conditions
from detector.rules.kibana.clauses import build_clause, negate
from detector.rules.rule_file import RuleError

_NO_CLAUSES = {"meta", "$state", "query"}


def build_filters(filters: Sequence[Any]) -> list[ast.Expression]:
    """Build the conditions that an event must fulfil. Raises RuleError.

    Disabled filters are ignored."""
    conditions = [_filter(each) for each in filters]
    return [condition for condition in conditions if condition is not None]


def _filter(content: Any) -> ast.Expression | None:
    if not isinstance(content, dict):
        raise RuleError("a filter must be a table")
    meta = content.get("meta") or {}
    if not isinstance(meta, dict):
        raise RuleError("the meta of a filter must be a table")
    if meta.get("disabled") is True:
        return None
    if meta.get("type") == "combined":
        condition = _combined(meta)
    else:
        condition = build_clause(_clause(content))
    return negate(condition) if meta.get("negate") is True else condition


def _combined(meta: dict[str, Any]) -> ast.Expression:
    relation, parts = meta.get("relation"), meta.get("params")
    if relation not in ("AND", "OR") or not isinstance(parts, list):
        raise RuleError("a combined filter must have a relation, AND or OR, and its filters")
    return join_conditions(relation.lower(), build_filters(parts))


def _clause(content: dict[str, Any]) -> Any:
    """Return the query clause of a filter; older filters have it next to ``meta``.

    Raises RuleError if it has none."""
    query = content.get("query")
    if query:
        return query
    clauses = {name: value for name, value in content.items() if name not in _NO_CLAUSES}
    if not clauses:
        raise RuleError("a filter without a query")
    return clauses
