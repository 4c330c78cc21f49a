"""Evaluates rules on a record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import msgspec

from detector.cloudtrail.record import Record
from detector.detection.event import (
    EVENT_REGION,
    EVENT_TIME,
    EventCall,
    EventClient,
    KeptEvent,
    Match,
    Position,
    Series,
    inputs_without_time,
    issued_key,
)
from detector.detection.outcomes.outcome import RuleOutcome, ViewVerdict
from detector.detection.record_view import NotedRecord
from detector.esql.plan.accumulators import Inputs
from detector.esql.plan.shared_inputs import SharedInputs
from detector.rules.rule import Rule

_NOWHERE = Position("", 0, 0)


class RuleAsker:
    """Evaluates rules; ``seconds`` has the time that each took, by rule id."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def ask(self, verdict: ViewVerdict, record: NotedRecord) -> tuple[RuleOutcome, bool]:
        """Return the outcome for records like one, and whether it may hold in its region only."""
        matches: list[Match] = []
        own: list[tuple[int, int, str]] = []
        for rule in verdict.rules:
            inputs_told = rule.query.shared_inputs
            begun = perf_counter()
            for series, inputs in _matches(rule, rule.query.shared_rows(record)):  # type: ignore[arg-type]
                own += [(len(matches), *each) for each in inputs_told.own]
                matches.append((series, _anywhere(inputs, inputs_told)))
            self.seconds[rule.rule_id] += perf_counter() - begun
        is_of_region = record.reads_region  # before the event is made, which reads it
        event = None
        if matches or verdict.timed:
            event = KeptEvent(
                0,
                EventClient.of(record),
                EventCall.of(record, record.error_message),
                record.aws_region or "",
                issued_key(record),
                None,
                _NOWHERE,
                tuple(matches),
            )
        return RuleOutcome(tuple(matches), event, tuple(own)), is_of_region

    def evaluate(self, record: Record, time: int, rules: Sequence[Rule]) -> list[Match]:
        """Return the matches of a whole record."""
        matches: list[Match] = []
        for rule in rules:
            begun = perf_counter()
            found = _matches(rule, rule.query.rows(record, time, is_accepted=True))
            matches += [(series, inputs_without_time(it, time)) for series, it in found]
            self.seconds[rule.rule_id] += perf_counter() - begun
        return matches


def _anywhere(inputs: Inputs, told: SharedInputs) -> Inputs:
    """Return inputs with placeholders for the event's time and region."""
    if not told.times and not told.regions:
        return inputs
    values = list(inputs)
    for index in told.times:
        values[index] = EVENT_TIME
    for index in told.regions:
        values[index] = EVENT_REGION
    return tuple(values)


def _matches(rule: Rule, rows: Sequence[tuple[tuple[Any, ...], Inputs]]) -> list[Match]:
    """Return the matches of an event, given the rows that a rule makes of it.

    Of several rows with the same key, the smallest inputs are kept."""
    if len(rows) == 1:
        key, inputs = rows[0]
        return [(Series(rule.rule_id, key if rule.query.window else None), inputs)]
    found: dict[Series, Inputs] = {}
    for key, inputs in rows:
        series = Series(rule.rule_id, key if rule.query.window else None)
        present = found.setdefault(series, inputs)
        if present is not inputs:
            found[series] = min(present, inputs, key=msgspec.msgpack.encode)
    return list(found.items())
