"""Event filters as conditions in Athena's SQL.

A condition accepts at least what the filter accepts: parts that SQL cannot express are left out,
and ``trailhound events`` filters the unloaded records again, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from detector.backfill.athena.conditions import network_conditions
from detector.backfill.athena.sql import any_of, literal
from detector.filter import parser
from detector.filter.parser import FieldTerm, FilterNode, FilterValue

_CALLER, _RECIPIENT = "useridentity.accountid", "recipientaccountid"
_COLUMNS = {
    "call": ("eventname",),
    "service": ("eventsource",),
    "region": ("awsregion",),
    "agent": ("useragent",),
    "principal": ("useridentity.arn",),
    "role": ("useridentity.sessioncontext.sessionissuer.arn",),
    "key": ("useridentity.accesskeyid",),
    "account": (_RECIPIENT, _CALLER),
    "caller": (_RECIPIENT, _CALLER),
    "id": ("eventid",),
}
"""The columns of each field; at least one of them contains the field's text."""


def filter_condition(node: FilterNode | None) -> str | None:
    """Return a condition that every record accepted by a filter meets; None if there is none.

    Raises SqlError for control characters."""
    match node:
        case parser.Disjunction(tests):
            found = [filter_condition(test) for test in tests]
            conditions = [each for each in found if each is not None]
            return any_of(conditions) if len(conditions) == len(found) else None
        case parser.Conjunction(tests):
            found = [filter_condition(test) for test in tests]
            conditions = [each for each in found if each is not None]
            return "(" + " AND ".join(conditions) + ")" if conditions else None
        case FieldTerm(field, operator, values) if field is not None and operator in (":", "="):
            return _term_condition(field, values)
    return None


def _term_condition(field: str, values: Sequence[FilterValue]) -> str | None:
    value_conditions: Callable[[FilterValue], list[str] | None] = _address_conditions
    if field in _COLUMNS:

        def value_conditions(value: FilterValue) -> list[str] | None:
            return _text_conditions(field, value)

    elif field != "source":
        return None
    conditions: list[str] = []
    for value in values:
        found = value_conditions(value)
        if found is None or value.dots is not None:
            return None
        conditions += found
    return any_of(conditions)


def _text_conditions(field: str, value: FilterValue) -> list[str] | None:
    text = _longest_run(value)
    if field in ("principal", "role"):
        text = text.rpartition("/")[2]  # ARNs are shown in shortened form
    if not text or not text.isascii():  # other letters have several case variants
        return None
    folded = literal(text.lower())
    return [f"strpos(lower({column}), {folded}) > 0" for column in _COLUMNS[field]]


def _address_conditions(value: FilterValue) -> list[str] | None:
    if value.wild or not value.text.strip():
        return None
    try:
        return list(network_conditions([value.text.strip()]))
    except ValueError:
        return None


def _longest_run(value: FilterValue) -> str:
    """Return the longest part of a value without wildcards."""
    wild = set(value.wild)
    text = "".join("\0" if index in wild else each for index, each in enumerate(value.text))
    return max(text.split("\0"), key=len)
