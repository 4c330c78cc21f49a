"""The queries of a rule's own guide, as Elastic's rules carry them: ``[[transform.investigate]]`` tables of the file,
and ``!{investigate{…}}`` in the text of its note.

A query is a list of groups of conditions: all of a group, any of the groups. Values may name a field of the alert
(``{{user.name}}``). Format: Elastic's documentation, "Launch Timeline from investigation guides".
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from detector.cloudtrail.record import Record, loads
from detector.detection.alert import Alert
from detector.detection.correlate import SIGNAL_REACH
from detector.ecs.fields import FieldTable
from detector.investigation.guide import Answer
from detector.investigation.pivot import Pivot
from detector.investigation.selectors import Condition, Matching, shown
from detector.rules.rule import Rule
from detector.text.time import SECONDS_PER_UNIT


class _Provider(msgspec.Struct, frozen=True, rename="camel"):
    field: str
    query_type: str = "phrase"
    value: Any = None
    excluded: bool | str = False


class Investigation(msgspec.Struct, frozen=True, rename="camel"):
    """One query: times are relative to the alert (``now-48h/h``), by default half an hour either
    side of it."""

    label: str
    providers: list[list[_Provider]]
    description: str = ""
    relative_from: str = ""
    relative_to: str = ""


class _Unanswerable(Exception):
    """Why a query cannot be asked of CloudTrail, or of this alert."""


def investigations(rule: Rule) -> list[Investigation]:
    """The queries of a rule's guide, those of the file's tables first; what is not in the format is
    left out."""
    found = []
    for table in (*_tables(rule), *_inline(rule.note)):
        try:
            found.append(msgspec.convert(table, Investigation))
        except msgspec.ValidationError:
            continue
    return found


def answers(rule: Rule, alert: Alert, fields: FieldTable, record: Record | None) -> list[Answer]:
    """The rule's queries as questions; their counts are known when their pivots have run.

    ``record`` is of one of the alert's events: what the alert itself does not name is read from it.
    """
    return [_answer(asked, alert, fields, record) for asked in investigations(rule)]


def _tables(rule: Rule) -> list[Any]:
    try:
        transform = tomllib.loads(rule.path.read_text(encoding="utf-8-sig")).get("transform")
    except (OSError, ValueError):
        return []  # the file was there when the rule was loaded; it says nothing now
    tables = transform.get("investigate") if isinstance(transform, dict) else None
    return tables if isinstance(tables, list) else []


def _inline(note: str) -> Iterator[Any]:
    for opening in re.finditer(r"!\{investigate(?=\{)", note):
        text = note[opening.end() :]
        for end in (found.end() for found in re.finditer(r"\}", text)):
            try:
                yield loads(text[:end].encode())
                break
            except (ValueError, RecursionError):
                continue


def _answer(
    asked: Investigation, alert: Alert, fields: FieldTable, record: Record | None
) -> Answer:
    def value_of(name: str) -> list[str]:
        found = [shown(value) for value in _of_alert(alert, name)]
        if not found and record is not None and name in fields:
            try:
                held = fields[name].read(record)
            except RecursionError:
                raise _Unanswerable(f"{name} is nested too deep to be looked at") from None
            found = [
                shown(value)
                for value in (held if isinstance(held, list) else [held])
                if value is not None
            ]
        if not found:
            raise _Unanswerable(f"the alert has no {name}")
        return found

    try:
        selector = Matching(
            tuple(
                tuple(_condition(provider, fields, value_of) for provider in group)
                for group in asked.providers
                if group
            )
        )
        start, end = _span(asked, alert)
    except _Unanswerable as error:
        return Answer(asked.label, "unknown", None, str(error), None)
    return Answer(
        asked.label,
        "unknown",
        None,
        asked.description,
        Pivot(asked.label, selector, start, end, alert.first_event),
    )


def _condition(
    provider: _Provider, fields: FieldTable, value_of: Callable[[str], list[str]]
) -> Condition:
    if provider.field not in fields:
        raise _Unanswerable(f"{provider.field} is no field of CloudTrail's")
    negated = provider.excluded in (True, "true")
    if provider.query_type == "exists":
        return Condition(fields[provider.field], None, negated)
    if provider.query_type != "phrase":
        raise _Unanswerable(f"queries of type {provider.query_type} are not supported")
    given = provider.value if isinstance(provider.value, list) else [provider.value]
    values = [value for each in given for value in _filled(shown(each), value_of)]
    return Condition(fields[provider.field], tuple(values), negated)


def _filled(text: str, value_of: Callable[[str], list[str]]) -> Sequence[str]:
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
    found = known.get(name)
    return found if isinstance(found, list) else [] if found is None else [found]


_RELATIVE = re.compile(r"now(?:([+-])(\d{1,6})([smhdw]))?(?:/([smhdw]))?")


def _span(asked: Investigation, alert: Alert) -> tuple[int, int]:
    """What the two times mean: the alert stands for ``now``, its whole span included."""
    if not asked.relative_from and not asked.relative_to:
        return alert.first_event - SIGNAL_REACH, alert.last_event + SIGNAL_REACH + 1
    start = _moment(asked.relative_from or "now", alert.first_event, up=False)
    return start, max(start, _moment(asked.relative_to or "now", alert.last_event, up=True)) + 1


def _moment(text: str, now: int, up: bool) -> int:
    found = _RELATIVE.fullmatch(text.strip())
    if not found:
        raise _Unanswerable(f"{text}: no relative time such as now-48h")
    sign, count, unit, rounded = found.groups()
    at = now + (int(count) * SECONDS_PER_UNIT[unit] * (-1 if sign == "-" else 1) if count else 0)
    if not rounded:
        return at
    size = SECONDS_PER_UNIT[rounded]
    return at // size * size + (size - 1 if up else 0)
