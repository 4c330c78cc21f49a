"""The alerts of each shape of rule: their ids, windows, keys, columns and bounds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from detector.detection.derive import derive, has_distinct, may_raise_alert, values_in
from detector.detection.event import KeptEvent, Position
from detector.detection.finding import Finding, Window, alert_id
from detector.detection.window import Hit
from detector.rules.rule import Rule
from detector.rules.ruleset import load
from tests.detector.esql.conftest import record
from tests.detector.rules.rule_scan import write_rule

EAST, WEST = "us-east-1", "eu-west-1"
ACCOUNT = "111122223333"
KEY = {"user.name": "ana"}
SUPPRESSION = (
    '[rule.alert_suppression]\ngroup_by = ["user.name"]\nduration = {value = 20, unit = "s"}\n'
)
NEW_TERMS = 'history_window_start = "now-20s"\nnew_terms_fields = ["user.name"]\n'
SEQUENCE = (
    f'sequence by user.name with maxspan=20s [any where cloud.region == "{EAST}"] '
    f'[any where cloud.region == "{WEST}"]'
)
COUNT = (
    "from logs-* | eval w = date_trunc(20 seconds, @timestamp) "
    "| stats n = count(*), r = values(cloud.region) by w, user.name | where n >= 2"
)
Found = tuple[int, str]
"""A call: its second, and its region."""


def rule_of(folder: Path, query: str, kind: str = "esql", more: str = "") -> Rule:
    (rule,) = load([write_rule(folder, query, kind, "now-20s", more)], builtin=False)
    return rule


def derived(
    rule: Rule, calls: list[Found], *bounds: int, mode: str = "sliding", name: str = "e-{}"
) -> list[Finding]:
    """Derive the alerts of calls, whose ids are their numbers."""
    hits: list[Hit] = []
    key: tuple[Any, ...] = ()
    for number, (time, region) in enumerate(calls):
        event = record(awsRegion=region, eventID=name.format(number))
        ((key, inputs),) = rule.query.rows(event, time)
        identity, row = KeptEvent.of(event, b"{}", time, Position("x", 0, number))
        hits.append(Hit(time, identity, inputs, row))
    return list(derive(rule, mode, key, hits, *bounds))  # type: ignore[arg-type]


def spans(alerts: list[Finding]) -> list[tuple[int, int]]:
    return [(alert.first_event, alert.last_event) for alert in alerts]


CALLS = [(40, EAST), (45, WEST), (65, EAST), (80, EAST), (100, EAST)]


def test_rule_that_only_filters_gives_an_alert_for_each_event(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, "from logs-* | where event.action is not null | keep cloud.region")
    alerts = derived(rule, CALLS[:2])
    assert [
        (alert.alert_id, alert.window, alert.key, alert.columns, alert.event_ids)
        for alert in alerts
    ] == [
        (alert_id("r-1", name, (ACCOUNT, name)), None, {}, {"cloud.region": region}, [name])
        for name, region in (("e-0", EAST), ("e-1", WEST))
    ]
    assert spans(alerts) == [(40, 40), (45, 45)]
    assert [alert.facets.regions for alert in alerts] == [[EAST], [WEST]]
    assert alerts[0].rule == rule.summary


def test_event_of_a_uuid_is_named_by_it(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, "from logs-* | where event.action is not null | keep cloud.region")
    (alert,) = derived(rule, CALLS[:1], name="0c0e1f3a-0000-4222-8333-00000000000{}")
    event_id = "0c0e1f3a-0000-4222-8333-000000000000"
    assert alert.event_ids == [event_id]
    assert alert.alert_id == alert_id("r-1", event_id, (ACCOUNT, event_id))


def test_events_of_one_id_are_named_once(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, "event.action: *", "query", SUPPRESSION)
    (alert,) = derived(rule, [(40, EAST), (40, WEST), (41, EAST)], name="e")
    assert alert.event_ids == ["e"]


def test_events_close_together_are_one_alert(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, "event.action: *", "query", SUPPRESSION)
    calls = [*CALLS[:1], (40, WEST), *CALLS[1:]]
    alerts = derived(rule, calls)
    assert [(alert.window, alert.event_ids) for alert in alerts] == [
        (Window("sliding", 40, 46), ["e-0", "e-1", "e-2"]),
        (Window("sliding", 65, 81), ["e-3", "e-4"]),
        (Window("sliding", 100, 101), ["e-5"]),
    ]
    assert spans(alerts) == [(40, 45), (65, 80), (100, 100)]
    for alert, first in zip(alerts, (0, 3, 5), strict=True):
        assert alert.alert_id == alert_id("r-1", alert.first_event, ("ana",))
        assert alert.key == KEY
        assert (alert.columns["event.id"], alert.columns["user.name"]) == (f"e-{first}", "ana")
    assert spans(derived(rule, calls, 40, 65)) == [(40, 45)]
    assert spans(derived(rule, calls, 41, 100)) == [(45, 45), (65, 80)]
    assert spans(derived(rule, calls, 65, 101)) == [(65, 80), (100, 100)]


def test_new_terms_alert_after_a_time_without_them(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, "event.action: *", "new_terms", NEW_TERMS)
    calls = [(40, EAST), (59, EAST), (79, WEST), (98, EAST)]
    alerts = derived(rule, calls)
    assert [(alert.alert_id, alert.window, alert.key, alert.event_ids) for alert in alerts] == [
        (alert_id("r-1", name, ("ana",)), None, KEY, [name]) for name in ("e-0", "e-2")
    ]
    assert [alert.columns["cloud.region"] for alert in alerts] == [EAST, WEST]
    assert spans(derived(rule, calls, 41, 80)) == [(79, 79)]
    assert spans(derived(rule, calls, 40, 79)) == [(40, 40)]
    assert spans(derived(rule, [(-5, EAST), (16, WEST)])) == [(-5, -5), (16, 16)]


def test_sequence_alerts_where_its_last_event_is_within_bounds(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, SEQUENCE, "eql")
    calls = [(40, EAST), (45, WEST), (65, EAST), (84, WEST), (100, EAST), (121, WEST)]
    alerts = derived(rule, calls)
    assert [(alert.window, alert.key, alert.event_ids) for alert in alerts] == [
        (Window("sliding", 40, 46), KEY, ["e-0", "e-1"]),
        (Window("sliding", 65, 85), KEY, ["e-2", "e-3"]),
    ]
    assert spans(alerts) == [(40, 45), (65, 84)]
    for alert in alerts:
        assert alert.alert_id == alert_id("r-1", alert.first_event, ("ana",))
        assert alert.columns["user.name"] == "ana"
        assert not {"cloud.region", "event.id"} & alert.columns.keys()
    assert spans(derived(rule, calls, 45, 84)) == [(40, 45)]
    assert spans(derived(rule, calls, 46, 85)) == [(65, 84)]


def test_sequence_shows_its_key_where_the_events_differ_in_it(tmp_path: Path) -> None:
    joined = SEQUENCE.replace(" by user.name", "").replace("] [", "] by cloud.region [")
    rule = rule_of(tmp_path, f"{joined} by user.name", "eql")
    (alert,) = derived(rule, CALLS[:2])
    assert alert.key == {"cloud.region": "ana"}
    assert alert.columns["cloud.region"] == "ana"


def test_sequence_leaves_out_what_only_ends_it(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, f'{SEQUENCE} until [any where cloud.region == "sa-east-1"]', "eql")
    (alert,) = derived(rule, [(40, EAST), (45, "sa-east-1"), (45, WEST)])
    assert alert.event_ids == ["e-0", "e-2"]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("tumbling", [(40, 60, ["e-0", "e-1"])]),
        ("sliding", [(40, 60, ["e-0", "e-1"]), (65, 85, ["e-2", "e-3"])]),
    ],
)
def test_window_alert_has_the_columns_and_key_of_its_span(
    tmp_path: Path, mode: str, expected: list[tuple[int, int, list[str]]]
) -> None:
    rule = rule_of(tmp_path, COUNT)
    alerts = derived(rule, CALLS, mode=mode)
    assert [
        (alert.window.start, alert.window.end, alert.event_ids) for alert in alerts if alert.window
    ] == expected
    for alert in alerts:
        assert alert.window is not None
        assert alert.window.mode == mode
        assert alert.alert_id == alert_id("r-1", alert.window.start, ("ana",))
        assert alert.key == KEY
        assert (alert.columns["n"], alert.columns["user.name"]) == (2, "ana")
    assert alerts[0].columns["r"] == [WEST, EAST]


def test_columns_are_those_of_a_row_that_meets_the_conditions(tmp_path: Path) -> None:
    """At the end of the span, which stands for the present."""
    more = f' | eval at = now() | mv_expand r | where r == "{EAST}"'
    (alert,) = derived(rule_of(tmp_path, COUNT + more), CALLS[:2])
    assert (alert.columns["r"], alert.columns["at"]) == (EAST, "1970-01-01T00:01:00Z")


def test_span_ends_in_the_present_of_its_query(tmp_path: Path) -> None:
    """Of each span that is tried, and of all of them together."""
    more = " | eval at = to_long(now()) | where n == 3 and at == 60000 or n == 2 and at == 65000"
    (alert,) = derived(rule_of(tmp_path, COUNT + more), [(40, EAST), (45, WEST), (58, EAST)])
    assert alert.window == Window("sliding", 40, 65)
    assert (alert.columns["n"], alert.columns["at"]) == (3, 65_000)
    more = " | eval at = to_long(now()) | where at >= 60000"
    (alert,) = derived(rule_of(tmp_path, COUNT + more), [*CALLS[:2], (55, EAST)])
    assert (alert.columns["n"], alert.columns["at"]) == (3, 65_000)


def test_too_few_distinct_values_are_no_alert(tmp_path: Path) -> None:
    query = COUNT.replace("values(", "count_distinct(") + " and r >= 2"
    rule = rule_of(tmp_path, query)
    assert rule.query.min_distinct
    assert spans(derived(rule, CALLS[:2])) == [(40, 45)]
    assert derived(rule, [(40, EAST), (45, EAST)]) == []


def test_events_are_named_by_uuids_too(tmp_path: Path) -> None:
    name = "2f1c3c3e-0000-4000-8000-00000000000{}"
    (alert,) = derived(rule_of(tmp_path, COUNT), CALLS[:2], name=name)
    assert alert.event_ids == [name.format(0), name.format(1)]


def test_look_back_is_known_by_its_last_event(tmp_path: Path) -> None:
    rule = rule_of(tmp_path, "from logs-* | stats n = count(*) by user.name | where n >= 2")
    assert rule.query.shape == "lookback"
    calls = [(40, EAST), (45, WEST), (85, EAST), (90, EAST)]
    alerts = derived(rule, calls, mode="tumbling")
    assert [alert.window for alert in alerts] == [
        Window("sliding", 26, 46),
        Window("sliding", 71, 91),
    ]
    assert spans(derived(rule, calls, 45, 90)) == [(40, 45)]
    assert spans(derived(rule, calls, 46, 91)) == [(85, 90)]


def test_distinct_values_are_counted_by_input() -> None:
    rows = [("a", 1), ("b", 1), ("b", 1)]
    values = values_in(rows)
    assert has_distinct(values, [])
    assert has_distinct(values, [(0, 2), (1, 1)])
    assert not has_distinct(values, [(0, 3)])
    assert not has_distinct(values, [(0, 2), (1, 2)])
    assert not has_distinct(values_in([(["a"], 1)]), [(0, 5), (1, 2)])


@pytest.mark.parametrize(
    ("rows", "grouping", "may_be"),
    [
        (1, SimpleNamespace(merges=False), False),  # too few hits
        (2, SimpleNamespace(merges=False), False),  # too few values
        (2, SimpleNamespace(merges=True), True),
        (2, None, True),
        (1, None, False),
    ],
)
def test_series_without_enough_hits_raises_no_alert(rows: int, grouping: Any, may_be: bool) -> None:
    query = SimpleNamespace(min_hits=2, grouping=grouping, min_distinct=((0, 2),))
    rule: Any = SimpleNamespace(query=query)
    assert may_raise_alert(rule, rows, values_in([("same",)] * rows)) is may_be
