"""EQL's conditions against an evaluator of their own, on generated records."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import event, given, settings

from detector.cloudtrail.record import decode
from detector.ecs.fields import field_table
from detector.eql.parser import parse_eql
from detector.esql.plan.planner import plan_tree
from detector.esql.plan.query import Query
from tests.detector.eql import oracle
from tests.detector.esql.conftest import CALL, START

FIELDS = field_table()


def compiled(text: str) -> Query:
    return plan_tree(parse_eql(text), text, FIELDS)


def with_changes(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**CALL, **changes}.items() if value is not None}


@settings(max_examples=250)
@given(oracle.conditions, oracle.changes)
def test_condition_matches_oracle(condition, changes):
    raw = with_changes(changes)
    query = compiled(f"any where {condition.text}")
    expected = condition.holds(raw)
    event(f"holds: {expected}")
    record = decode(orjson.dumps(raw))
    assert bool(query.rows(record, START)) == expected
    if expected:  # what the head alone tells loses no record
        head = record.head()
        pair = record.event_source, record.event_name
        wider = {pair, (pair[0], None), (None, pair[1]), (None, None)}
        assert query.required_pairs & wider
        assert query.prefilter.accepts_pair(head) and query.prefilter.accepts(head)
