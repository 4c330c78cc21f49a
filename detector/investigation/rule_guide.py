"""The queries in a rule's own investigation guide.

Elastic's rules contain them as ``[[transform.investigate]]`` tables, or as ``!{investigate{…}}`` in
the text of the note. A query is a list of groups of conditions; it matches if all conditions of any
group match. Values may refer to a field of the alert (``{{user.name}}``). Source: Elastic's
documentation, "Launch Timeline from investigation guides".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import tomli

from detector.cloudtrail.record import Record, loads
from detector.detection.alert import Alert
from detector.detection.correlate import SIGNAL_REACH
from detector.ecs.fields import FieldTable
from detector.investigation.guide import Answer
from detector.investigation.pivot import Pivot
from detector.investigation.selectors import Condition, FieldSelector, as_list, value_text
from detector.rules.rule import Rule
from detector.text.time import SECONDS_PER_UNIT


class _Provider(msgspec.Struct, frozen=True, rename="camel"):
    field: str
    query_type: str = "phrase"
    value: Any = None
    excluded: bool | str = False


class GuideQuery(msgspec.Struct, frozen=True, rename="camel"):
    """One query of a guide.

    Times are relative to the alert (``now-48h/h``); the default is half an hour on either side.
    """

    label: str
    providers: list[list[_Provider]]
    description: str = ""
    relative_from: str = ""
    relative_to: str = ""


class _Unanswerable(Exception):
    """CloudTrail, or this alert, cannot answer the query."""


def guide_queries(rule: Rule) -> list[GuideQuery]:
    """Return the queries of a rule's guide, those of the file's tables first.

    Malformed queries are left out.
    """
    queries = []
    for table in (*_tables(rule), *_inline(rule.note)):
        try:
            queries.append(msgspec.convert(table, GuideQuery))
        except msgspec.ValidationError:
            continue
    return queries


def rule_answers(
    rule: Rule, alert: Alert, fields: FieldTable, record: Record | None
) -> list[Answer]:
    """Return the rule's queries as questions; their pivots count the events later.

    ``record`` belongs to one of the alert's events; fields that the alert lacks are read from it.
    """
    return [_answer(query, alert, fields, record) for query in guide_queries(rule)]


def _tables(rule: Rule) -> list[Any]:
    try:
        transform = tomli.loads(rule.path.read_text(encoding="utf-8-sig")).get("transform")
    except (OSError, ValueError):
        return []  # the file disappeared after the rule was loaded
    if not isinstance(transform, dict):
        return []
    tables = transform.get("investigate")
    return tables if isinstance(tables, list) else []


def _inline(note: str) -> Iterator[Any]:
    for opening in re.finditer(r"!\{investigate(?=\{)", note):
        text = note[opening.end() :]
        for closing in re.finditer(r"\}", text):
            try:
                yield loads(text[: closing.end()].encode())
                break
            except (ValueError, RecursionError):
                continue


def _answer(query: GuideQuery, alert: Alert, fields: FieldTable, record: Record | None) -> Answer:
    def value_of(name: str) -> list[str]:
        values = _of_alert(alert, name)
        if not values and record is not None and name in fields:
            try:
                values = [
                    value for value in as_list(fields[name].read(record)) if value is not None
                ]
            except RecursionError:
                raise _Unanswerable(f"{name} is nested too deep to read") from None
        if not values:
            raise _Unanswerable(f"the alert has no {name}")
        return [value_text(value) for value in values]

    try:
        selector = FieldSelector(
            tuple(
                tuple(_condition(provider, fields, value_of) for provider in group)
                for group in query.providers
                if group
            )
        )
        start, end = _span(query, alert)
    except _Unanswerable as error:
        return Answer(query.label, "unknown", None, str(error), None)
    pivot = Pivot(query.label, selector, start, end, alert.first_event)
    return Answer(query.label, "unknown", None, query.description, pivot)


def _condition(
    provider: _Provider, fields: FieldTable, value_of: Callable[[str], list[str]]
) -> Condition:
    if provider.field not in fields:
        raise _Unanswerable(f"{provider.field} is not a CloudTrail field")
    negated = provider.excluded in (True, "true")
    if provider.query_type == "exists":
        return Condition(fields[provider.field], None, negated)
    if provider.query_type != "phrase":
        raise _Unanswerable(f"queries of type {provider.query_type} are not supported")
    templates = provider.value if isinstance(provider.value, list) else [provider.value]
    values: list[str] = []
    for template in templates:
        values += _fill_in(value_text(template), value_of)
    return Condition(fields[provider.field], tuple(values), negated)


def _fill_in(text: str, value_of: Callable[[str], list[str]]) -> Sequence[str]:
    named = re.fullmatch(r"\s*\{\{\s*([^{}\s]+)\s*\}\}\s*", text)
    return value_of(named[1]) if named else [text]


def _of_alert(alert: Alert, name: str) -> list[Any]:
    facets = alert.facets
    known: dict[str, Any] = {
        "aws.cloudtrail.user_identity.arn": facets.arns,
        "cloud.region": facets.regions,
        "aws.cloudtrail.user_identity.access_key_id": facets.access_keys,
        "aws.cloudtrail.user_identity.session_context.session_issuer.arn": facets.roles,
        "aws.cloudtrail.user_identity.type": facets.identity_types,
        "cloud.account.id": facets.accounts,
        "source.address": facets.source_addresses,
        "user_agent.original": facets.user_agents,
        "event.id": alert.event_ids,
        **alert.columns,
        **alert.key,
    }
    return as_list(known.get(name))


_RELATIVE = re.compile(r"now(?:([+-])(\d{1,6})([smhdw]))?(?:/([smhdw]))?")


def _span(query: GuideQuery, alert: Alert) -> tuple[int, int]:
    """Return a query's span ``[start, end)``; ``now`` refers to the alert's first or last event."""
    if not query.relative_from and not query.relative_to:
        return alert.first_event - SIGNAL_REACH, alert.last_event + SIGNAL_REACH + 1
    start = _relative_time(query.relative_from or "now", alert.first_event, up=False)
    return start, max(
        start, _relative_time(query.relative_to or "now", alert.last_event, up=True)
    ) + 1


def _relative_time(text: str, now: int, up: bool) -> int:
    match = _RELATIVE.fullmatch(text.strip())
    if not match:
        raise _Unanswerable(f"{text}: not a relative time such as now-48h")
    sign, count, unit, rounded = match.groups()
    time = now
    if count:
        time += int(f"{sign}{count}") * SECONDS_PER_UNIT[unit]
    if not rounded:
        return time
    size = SECONDS_PER_UNIT[rounded]
    start = time // size * size
    return start + size - 1 if up else start
