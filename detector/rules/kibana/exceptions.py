"""Builds the conditions of rules' exceptions.

An event that matches an item of a rule's exception lists is ignored, also by rules that group.
Source: Elastic's documentation of "Add and manage exceptions" and of the exceptions API.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detector.esql import ast
from detector.esql.tree_walk import join_conditions
from detector.rules.kibana.clauses import field_match, negate
from detector.rules.kibana.export import Export, ObjectContent
from detector.rules.kibana.value_list import is_in_value_list
from detector.rules.rule_file import RuleError


def build_exceptions(references: Sequence[Any], export: Export) -> list[ast.Expression]:
    """Build the conditions that an event must fulfil so that no exception applies to it.

    ``references`` is a rule's ``exceptions_list``; ``export`` must have these lists. Raises
    RuleError."""
    return [
        negate(_item(item, export))
        for reference in references
        for item in _items(reference, export)
    ]


def _items(reference: Any, export: Export) -> list[ObjectContent]:
    if not isinstance(reference, dict) or not isinstance(reference.get("list_id"), str):
        raise RuleError("an exception list without a list_id")
    name = reference["list_id"]
    items = export.lists.get((name, str(reference.get("namespace_type", "single"))))
    if items is None:
        raise RuleError(
            f"the exception list {name} is not in the files: export the rule with its "
            "exceptions from Kibana, and name the .ndjson"
        )
    return items


def _item(item: ObjectContent, export: Export) -> ast.Expression:
    entries = item.get("entries")
    if not isinstance(entries, list) or not entries:
        raise RuleError(f"the exception {_name(item)} has no entries")
    try:
        conditions = [_entry(entry, export) for entry in entries]
        if item.get("expire_time"):  # it only applies to earlier events
            conditions.append(field_match("@timestamp", "<", item["expire_time"]))
    except RuleError as error:
        raise RuleError(f"the exception {_name(item)}: {error.message}") from None
    return join_conditions("and", conditions)


def _name(item: ObjectContent) -> str:
    return str(item.get("name") or item.get("item_id") or "without a name")


def _entry(entry: Any, export: Export) -> ast.Expression:
    if not isinstance(entry, dict):
        raise RuleError("an entry must be an object")
    condition = _included(entry, export)
    match entry.get("operator", "included"):
        case "included":
            return condition
        case "excluded":
            return negate(condition)
    raise RuleError(f"the operator {entry['operator']} is not supported")


def _included(entry: ObjectContent, export: Export) -> ast.Expression:
    field, value = entry.get("field"), entry.get("value")
    match entry.get("type"):
        case "match":
            return field_match(field, ":", value)
        case "match_any" if isinstance(value, list):
            return join_conditions("or", [field_match(field, ":", each) for each in value])
        case "wildcard":
            return field_match(field, "*", value)
        case "exists":
            return field_match(field, "exists", "")
        case "list":
            return is_in_value_list(field, entry.get("list"), export)
        case "nested":
            raise RuleError(f"{field} has nested entries, which no field of CloudTrail has")
    raise RuleError(f"an entry of the type {entry.get('type')} is not supported")
