"""The edges of an eviction: which windows stay, and for which a record is too late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from detector.detection.event import Event
from detector.detection.signals.signal_event import moment
from detector.detection.signals.signal_index import SignalCaller, SignalKey
from detector.rules.ruleset import RuleSet, load
from detector.store import Store
from detector.store.packing.signal_rows import all_signals, cells_by_hour, insert_signals
from tests.clock import Clock
from tests.detector.detection.test_correlate import act, swept
from tests.detector.detection.test_correlate import rules as flag_rules
from tests.detector.rules.rule_scan import write_rule
from tests.detector.trail import (
    REFERENCE,
    REFERENCE_FILE,
    REGIONS,
    START,
    Raw,
    call,
    rules,
    scan,
    sweep,
    write,
)

DAY = 86_400
NEWEST = 4000
"""Seconds after START of a lone call that is always the newest."""
WIDTHS = {"tumbling": 30, "sliding": 30, "look-back": 360}


@cache
def by(mode: str) -> RuleSet:
    """Return the reference rule in a mode, or a threshold over six minutes."""
    if mode != "look-back":
        return rules(mode)
    threshold = """[rule.threshold]
field = ["aws.cloudtrail.user_identity.arn"]
value = 10
cardinality = [{field = "cloud.region", value = 10}]"""
    with TemporaryDirectory() as folder:
        query = "event.action: DescribeInstances"
        path = write_rule(Path(folder), query, "threshold", "now-6m", threshold)
        return load([path], builtin=False)


@pytest.fixture
def clock() -> Clock:
    return Clock(START + NEWEST + 3600.0)


@pytest.fixture
def store(clock: Clock) -> Iterator[Store]:
    with closing(Store.open(None, clock)) as store:
        yield store


def read(store: Store, folder: Path, mode: str, records: list[Raw], name: str = "a.json") -> None:
    write(folder, name, [*records, call(NEWEST)])
    scan(folder, store=store, by=by(mode))


def evict(store: Store, clock: Clock, before: int) -> int:
    """Evict windows that ended ``before`` seconds after START; return how many hits went."""
    clock.now += DAY
    return store.retention.evict(NEWEST - before)[0]


def calls(*times: int, first: int = 0) -> list[Raw]:
    """Return a call at each time, each in a region of its own."""
    return [call(at, region) for at, region in zip(times, REGIONS[first:], strict=False)]


def events(store: Store) -> dict[str, list[Event]]:
    return {alert.alert_id: store.alerts.events(alert.alert_id) for alert in store.alerts.all()}


ACROSS: dict[str, tuple[str, list[Raw]]] = {
    "begins in the first of two": ("sliding", calls(*range(25, 35))),
    "one hit in the first of two": ("sliding", calls(29, *range(31, 40))),
    "one hit in the last of two": ("sliding", calls(*range(20, 29), 30)),
    "over three": (
        "sliding",
        [*calls(*range(20, 30)), *calls(*range(45, 55)), call(62, "us-east-1", "x")],
    ),
    "looks back over two": ("look-back", calls(*range(355, 365))),
    "looks back, one hit in the first": ("look-back", calls(359, *range(361, 370))),
    "looks back, one hit in the last": ("look-back", calls(*range(350, 359), 360)),
    "looks back over three": (
        "look-back",
        [*calls(*range(300, 310)), *calls(*range(640, 650)), call(725, "us-east-1", "x")],
    ),
}


@pytest.mark.parametrize("case", ACROSS)
def test_alert_across_windows_keeps_all_its_events(
    case: str, store: Store, clock: Clock, tmp_path: Path
) -> None:
    """Each window that an alert overlaps stays, at its start, its end and between."""
    mode, records = ACROSS[case]
    read(store, tmp_path, mode, records)
    before = store.alerts.all(), events(store)
    assert [len(alert.event_ids) for alert in before[0]] == [len(records)]
    assert evict(store, clock, NEWEST - 400) == 0
    assert (store.alerts.all(), events(store)) == before
    read(store, tmp_path, mode, calls(3000), "b.json")
    assert events(store) == before[1], "what comes later derives nothing anew"


@pytest.mark.parametrize("mode", ["tumbling", "sliding"])
def test_windows_that_only_touch_an_alert_are_evicted(
    mode: str, store: Store, clock: Clock, tmp_path: Path
) -> None:
    """A call a second before the window of an alert, and one as it ends."""
    alert = calls(30, 33, 36, 39, 42, 45, 48, 51, 54, 59)
    read(store, tmp_path, mode, [call(29, REGIONS[5]), *alert, call(60, REGIONS[5])])
    before = store.alerts.all()
    assert [(each.start - START, len(each.event_ids)) for each in before] == [(30, 10)]
    assert evict(store, clock, NEWEST - 400) == 2
    assert store.alerts.all() == before
    assert {len(held) for held in events(store).values()} == {10}


@pytest.mark.parametrize(("before", "gone"), [(359, 0), (360, 1), (361, 1)])
def test_window_is_evicted_from_the_second_of_its_end(
    before: int, gone: int, store: Store, clock: Clock, tmp_path: Path
) -> None:
    read(store, tmp_path, "tumbling", calls(330))
    assert evict(store, clock, before) == gone


@pytest.mark.parametrize(("mode", "reach"), [("tumbling", 0), ("sliding", 2), ("look-back", 2)])
def test_record_is_late_up_to_twice_the_reach_of_evicted_hits(
    mode: str, reach: int, store: Store, clock: Clock, tmp_path: Path
) -> None:
    """A late hit derives its neighbours anew, which reach as far once more."""
    width = WIDTHS[mode]
    first, end = 1080 - reach * width, 1080 + width + reach * width
    read(store, tmp_path, mode, calls(1080))
    assert evict(store, clock, 1080 + width) == 1
    for late, at in enumerate((first, end - 1, 1080), 1):
        read(store, tmp_path, mode, [call(at, event_id=f"late-{late}")], f"{late}.json")
        assert store.files.accounting().late_dropped == late, at
    for at in (first - 1, end):
        read(store, tmp_path, mode, [call(at, "eu-west-1")], f"young-{at}.json")
    assert store.files.accounting().late_dropped == 3


def test_event_without_matches_is_kept_until_it_is_older(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """A late event stays, so that its copies are known; it goes in the second after its own."""
    read(store, tmp_path, "tumbling", calls(1080))
    assert evict(store, clock, 1110) == 1
    late = call(1080, event_id="late")
    read(store, tmp_path, "tumbling", [*sweep(10, 600), late], "b.json")  # in one segment
    clock.now += DAY
    assert store.retention.evict(NEWEST - 1080) == (0, 0)
    assert store.retention.evict(NEWEST - 1081) == (0, 1)


def test_record_in_a_loaded_span_is_late(store: Store, tmp_path: Path) -> None:
    """From its first second on, and no more at its end."""
    with store.database.transaction() as connection:
        for _ in range(2):
            store.retention.add_loaded_span(connection, (START + 100, START + 200))
    for at, late in ((99, 0), (100, 1), (199, 2), (200, 2)):
        read(store, tmp_path, "tumbling", [call(at, event_id=f"{at}")], f"{at}.json")
        assert store.files.accounting().late_dropped == late, at


def test_segment_that_loses_nothing_stays(store: Store, clock: Clock, tmp_path: Path) -> None:
    for number, records in enumerate((sweep(9), sweep(10, 60), [call(NEWEST)])):
        write(tmp_path, f"{number}.json", records)
        scan(tmp_path, store=store, by=by("tumbling"))
    ids = "SELECT segment_id FROM segment ORDER BY first"
    segments = store.database.rows(ids)
    assert evict(store, clock, 1000) == 9
    assert store.database.rows(ids) == segments[1:]


def test_evict_takes_the_hits_of_one_rule_from_the_alert_of_another(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """Over several segments, of which those that lose nothing stay as they are."""
    query = (
        "from logs-* | eval w = date_trunc(30 seconds, @timestamp) "
        "| stats n = count(*) by w, user.id | where n > 100"
    )
    rules = load([REFERENCE_FILE, write_rule(tmp_path / "rules", query)], builtin=False)
    for number, records in enumerate((sweep(10), sweep(9, 60), sweep(8, 120), [call(NEWEST)])):
        write(tmp_path / "logs", f"{number}.json", records)
        scan(tmp_path / "logs", store=store, by=rules)

    def hits() -> dict[str, int]:
        return {rule_id: count.hits for rule_id, count in store.rules.counts().items()}

    assert hits() == {REFERENCE: 28, "r-1": 28}
    clock.now += DAY
    assert store.retention.evict(NEWEST - 1000) == (27 + 17, 17)
    assert hits() == {REFERENCE: 11, "r-1": 1}
    segments = store.database.rows("SELECT segment_id FROM segment ORDER BY segment_id")
    assert store.retention.evict(NEWEST - 1000) == (0, 0)
    assert store.database.rows("SELECT segment_id FROM segment ORDER BY segment_id") == segments


def test_evict_forgets_signals_that_are_near_no_alert(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """Before the first alert, between two that are far apart, and after the last."""
    alerts = [*swept("ana", 0), *swept("ana", 90), *swept("ana", 3900)]
    write(tmp_path, "a.json", [*alerts, act("snapshot", "ana", 40), call(9000)])
    scan(tmp_path, store=store, by=flag_rules("tumbling"))
    assert len(store.alerts.all()) == 3
    near, far = (-1800, 1919, 2100, 5729), (-1801, 1920, 2099, 5730)
    with store.database.transaction() as connection:
        connection.execute("DELETE FROM signal WHERE flag != 'snapshot'")
        others = [moment(START + at) + at.to_bytes(16, "big", signed=True) for at in near + far]
        key = SignalKey(SignalCaller("", "", ""), "snapshot", "")
        hours = cells_by_hour(others)
        insert_signals(connection, {(key, hour): cells for hour, cells in hours.items()})
    clock.now += DAY
    store.retention.evict(1000)
    times = [time - START for _, time, _ in all_signals(store.database.rows)]
    assert sorted(times) == sorted([*near, 40])


def test_evict_keeps_the_signals_of_alerts(store: Store, clock: Clock, tmp_path: Path) -> None:
    """The events of a flag are in no window."""
    around = [act("snapshot", "ana", at) for at in (-100, 40, 700)]
    write(tmp_path, "a.json", [*swept("ana", 0), *around, call(NEWEST)])
    (before,) = scan(tmp_path, store=store, by=flag_rules("tumbling")).alerts
    signals = store.context.signals(before.alert_id)
    assert [len(held) for held in signals.values()] == [3]
    evict(store, clock, NEWEST - 400)
    assert store.context.signals(before.alert_id) == signals
    write(tmp_path, "b.json", [act("snapshot", "ana", 50)])
    (after,) = scan(tmp_path, store=store, by=flag_rules("tumbling")).alerts
    assert [(flag.flag, flag.count) for flag in before.flags] == [("snapshot", 3)]
    assert [(flag.flag, flag.count) for flag in after.flags] == [("snapshot", 4)]


@pytest.mark.parametrize("mode", ["tumbling", "sliding"])
def test_record_that_is_read_again_is_not_late(
    mode: str, store: Store, clock: Clock, tmp_path: Path
) -> None:
    """A new rule has each file read again, also those whose windows are gone."""
    logs = tmp_path / "logs"
    write(logs, "a.json", [*sweep(9), *sweep(9, 300), call(NEWEST)])
    scan(logs, store=store, by=rules(mode))
    assert evict(store, clock, 600) == 18
    write(logs, "b.json", [call(1, REGIONS[9])])
    assert scan(logs, store=store, by=rules(mode)).accounting.late_dropped == 1
    rule = write_rule(tmp_path / "rules", 'from logs-* | where event.action == "None"')
    run = scan(logs, store=store, by=rules(mode, rule))
    sums = run.accounting
    assert (sums.late_dropped, sums.records_seen, sums.records_duplicate) == (1, 20, 0)
    assert run.alerts == []
