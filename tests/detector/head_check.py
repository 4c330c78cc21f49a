"""Check that what is known of a record before it is decoded loses no match."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from detector.cloudtrail.caller_view import NotInView
from detector.cloudtrail.record import Record, decode, signature_of
from detector.detection.record_view import RecordView, read_hit_fields
from detector.esql.plan.query import Query
from detector.rules.dispatch import Dispatch
from detector.rules.rule import Rule


def rows_of(query: Query, raw: bytes, time: int = 0) -> list[Any]:
    """Return the rows of a query for a record, as rules get them.

    Its head, and a view of it, must not say otherwise."""
    record = decode(raw)
    rows: list[Any] = query.rows(record, time)
    check_head(query, record, bool(rows))
    check_view(query, record, raw, rows)
    return rows


def check_head(query: Query, record: Record, found: bool) -> None:
    """Check that a record is found only where its head is let through."""
    rule = cast(Rule, SimpleNamespace(query=query, rule_id="r"))
    signature = signature_of(record.head())
    let_through = bool(Dispatch([rule]).rules_for(signature))
    assert let_through or not found, "the head lost a record"
    assert found or not (let_through and query.prefilter.is_exact), "the head was not exact"


def check_view(query: Query, record: Record, raw: bytes, rows: list[Any]) -> None:
    """Check that a view of a record, where it suffices, gives the same rows."""
    fields = read_hit_fields(raw)
    view: Any = fields and RecordView.of(signature_of(record.head()), fields)
    if view is None or query.time_inputs is None:
        return
    try:
        seen = query.rows(view, 0)
    except NotInView:
        return
    assert bool(seen) == bool(rows), "a view says otherwise than its record"
    if not query.time_inputs:
        assert seen == rows
