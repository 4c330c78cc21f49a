"""Conflicting records of one identity: which stands does not depend on the order.

They claim one identity and differ, or share an eventID between accounts. CloudTrail's own copies of
an event are equal.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from functools import cache, partial
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.rules.ruleset import RuleSet
from detector.store import Store
from tests.detector.trail import REFERENCE_FILE, REGIONS, Raw, call, rules, scan, watch, write

BY_ADDRESS = b"""[rule]
rule_id = "by-address"
name = "by address"
type = "esql"
language = "esql"
query = '''from logs-aws.cloudtrail-*
| stats n = count(*) by w = date_trunc(30 seconds, @timestamp), source.ip
| where n >= 1'''
"""


@cache
def by() -> RuleSet:
    """Every call by its address; and the flag that speaks of calls near it that are none of its
    own."""
    with tempfile.TemporaryDirectory() as folder:
        return rules(
            "tumbling",
            write(Path(folder), "by-address.toml", BY_ADDRESS),
            REFERENCE_FILE.parent / "flags" / "other_enumeration.toml",
        )


CALLS = st.builds(
    lambda at, name, number, changed: call(at, REGIONS[number], event_id=name, **changed),
    st.sampled_from([0, 29, 30, 31]),
    st.sampled_from(["same", "other"]),
    st.integers(0, 2),
    st.sampled_from(
        [
            {},
            {},
            {"sourceIPAddress": "198.51.100.1"},
            {"eventSource": "iam.amazonaws.com"},
            {"recipientAccountId": "444455556666"},
            {"errorCode": "AccessDenied"},
        ]
    ),
)


@settings(max_examples=30)
@given(st.lists(CALLS, min_size=1, max_size=3), st.lists(CALLS, min_size=1, max_size=3))
def test_conflicting_events_do_not_depend_on_order(one: list[Raw], other: list[Raw]) -> None:
    told = []
    for first, second in ((one, other), (other, one)):
        with tempfile.TemporaryDirectory() as folder, closing(Store.open(None)) as store:
            write(Path(folder), "first.json", first)
            told.append(
                watch(
                    store,
                    Path(folder),
                    partial(write, Path(folder), "second.json", second),
                    by=by(),
                ).facts
            )
            told.append(scan(Path(folder), by=by()).facts)
    assert told[0] == told[1] == told[2] == told[3]
