"""EQL's conditions against an evaluator of their own, on generated records."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import event, given, settings

from detector.ecs.fields import field_table
from detector.eql.parser import parse_eql
from detector.esql.plan.planner import plan_tree
from detector.esql.plan.query import Query
from tests.detector.eql import oracle
from tests.detector.esql.conftest import CALL, START
from tests.detector.head_check import rows_of

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
    assert bool(rows_of(query, orjson.dumps(raw), START)) == expected
