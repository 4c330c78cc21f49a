"""Builds the conditions of exceptions by value lists.

Source: Elastic's documentation of "Create and manage value lists" and of the lists API.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from detector.esql import ast
from detector.esql.tree_walk import join_conditions
from detector.rules.kibana.clauses import field_match
from detector.rules.kibana.export import Export
from detector.rules.rule_file import RuleError

_TYPES = ("keyword", "ip", "ip_range")
_MOST_VALUES = 10_000


def is_in_value_list(field: object, reference: Any, export: Export) -> ast.Expression:
    """Build the condition that some value of a field is in a value list.

    ``reference`` is the ``list`` of an entry, with id and type; ``export`` must have the values.
    Raises RuleError or EsqlError."""
    if not isinstance(reference, dict) or not isinstance(reference.get("id"), str):
        raise RuleError(f"{field} is in a value list without an id")
    name, type = reference["id"], reference.get("type")
    items = export.value_lists.get(name)
    if items is None:
        raise RuleError(
            f"{field} is in the value list {name}, which is not in the files: save what "
            f"/api/lists/items/_find?list_id={name}&per_page={_MOST_VALUES} answers as .json, and "
            "name it"
        )
    if type not in _TYPES:
        raise RuleError(
            f"{field} is in the value list {name} of the type {type}: only {', '.join(_TYPES)} "
            "are supported"
        )
    if len(items) > _MOST_VALUES:
        raise RuleError(f"the value list {name} has over {_MOST_VALUES:,} values")
    values = [value for item in items for value in _values(item.get("value"), type, name)]
    if not values:  # nothing is in an empty list
        exists = field_match(field, "exists", "")
        return ast.Logic("and", (exists, ast.Not(exists, span=exists.span)), span=exists.span)
    return join_conditions("or", [field_match(field, ":", value) for value in values])


def _values(value: object, type: str, name: str) -> Iterator[object]:
    """Yield the texts to compare a field with: the value, or the networks of an address range.

    Raises RuleError for an invalid range."""
    if type != "ip_range":
        yield value
        return
    first, dash, last = str(value).partition("-")
    try:
        if dash:
            yield from map(
                str,
                ipaddress.summarize_address_range(
                    ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
                ),
            )
        else:
            yield str(ipaddress.ip_network(first.strip(), strict=False))
    except (ValueError, TypeError):
        raise RuleError(f"the value list {name}: {value} is no range of addresses") from None
