"""A few fields of a record, against those of the whole record."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.cloudtrail.record import decode, loads
from detector.cloudtrail.record_fields import raw_values, texts

NAMES = ("request_parameters", "event_type", "event_id", "management_event", "request_id")
SPELLED = ("requestParameters", "eventType", "eventID", "managementEvent", "requestID")
values = st.sampled_from([None, True, 7, 1.5, "x", "\ud800", "é", [], {"a": None}, {"a": 1.0}])
records = st.dictionaries(st.sampled_from([*SPELLED, "userIdentity", "other"]), values, max_size=6)


def attributes(raw: bytes, names: tuple[str, ...]) -> list[Any]:
    record = decode(raw)
    found = [getattr(record, name) for name in names]
    return [loads(each) if isinstance(each, msgspec.Raw) else each for each in found]


@given(records, records, st.lists(st.sampled_from(NAMES), unique=True))
def test_records_with_the_same_have_the_same_attributes(
    one: dict[str, Any], other: dict[str, Any], names: list[str]
) -> None:
    asked = tuple(names)
    raws = [json.dumps(record, sort_keys=True).encode() for record in (one, other)]
    decided = [raw_values(raw, asked) for raw in raws]
    if decided[0] == decided[1]:
        assert attributes(raws[0], asked) == attributes(raws[1], asked)
    assert raw_values(raws[0], asked) == decided[0]


@given(records)
def test_texts_are_those_of_the_record(record: dict[str, Any]) -> None:
    raw, names = json.dumps(record).encode(), ("event_id", "request_id", "event_type")
    assert list(texts(raw, names)) == attributes(raw, names)


def test_attributes_that_are_no_fields_are_read_of_the_whole_record() -> None:
    raw = b'{"recipientAccountId": "1", "eventType": "x"}'
    assert raw_values(raw, ("account", "event_type")) == ("1", "x")
    assert raw_values(raw, ()) == ()


def test_what_is_no_record_raises() -> None:
    with pytest.raises(ValueError, match=r"."):
        raw_values(b"[]", ("event_type",))
    with pytest.raises(ValueError, match=r"."):
        texts(b"[", ("event_type",))
