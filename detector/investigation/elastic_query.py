"""ES|QL queries that find an alert's events in Elasticsearch."""

from __future__ import annotations

from collections.abc import Iterator

from detector.detection.alert import Alert
from detector.ecs.values import Value
from detector.text.time import format_time

_INDEX = "logs-aws.cloudtrail-*"
"""The data streams of Elastic's AWS integration for CloudTrail."""


def events_query(alert: Alert) -> str:
    """Return the query for events with the alert's key in the alert's window.

    Keys that the rule's query computes are left out: Elasticsearch does not have those fields.
    """
    start, end = alert.extent
    terms = [
        f'@timestamp >= "{format_time(start)}"',
        f'@timestamp < "{format_time(end)}"',
        *_terms(alert),
    ]
    return f"FROM {_INDEX}\n| WHERE " + "\n    AND ".join(terms) + "\n| SORT @timestamp"


def _terms(alert: Alert) -> Iterator[str]:
    for field, value in alert.key.items():
        if field.replace("_", "").replace(".", "").isalnum() and not field.startswith("Esql"):
            yield f"{field} {_comparison(value)}"


def _comparison(value: Value) -> str:
    if value is None:
        return "IS NULL"
    return f"== {_literal(value)}"


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    for character, escape in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(character, escape)
    return f'"{text}"'
