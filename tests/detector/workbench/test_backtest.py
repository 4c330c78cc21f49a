"""A backtest, compared with two scans by the two rule files."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection.alert import Alert
from detector.rules.ruleset import RuleSet, load
from detector.sources.directory import Directory
from detector.store import Store
from detector.triage.note import NoteBody
from detector.workbench.backtest import Backtest, Judgements, Precision
from detector.workbench.bench import Bench, LogScan, state_judgements
from detector.workbench.settings import moved, parse_settings
from tests.detector.strategies import Trail, trails
from tests.detector.trail import ANA, REFERENCE, REFERENCE_FILE, Raw, call, scan, sweep, write
from tests.detector.workbench.rules_of_all_kinds import KINDS, RULE_ID, write_kind

CLAIMS: tuple[Raw, ...] = (
    {"eventTime": "2026-03-01T10:01:40Z"},
    {"awsRegion": "sa-east-1"},
    {"sourceIPAddress": "192.0.2.77"},
)


def bench_on(rules: RuleSet, logs: Path, store: Store | None = None, rule: str = RULE_ID) -> Bench:
    judgements = state_judgements(store) if store else Judgements()
    found = rules.get(rule)
    assert found is not None, rules.problems
    reader = LogScan(lambda: Directory([logs]), lambda update: None, jobs=1)
    return Bench(rules, found, judgements, store, reader)


def facts(alerts: Sequence[Alert]) -> list[dict[str, Any]]:
    """What a rule found, without what follows from other rules or from how it came about."""
    told = [
        {
            name: alert.as_json()[name]
            for name in ("alert_id", "window", "key", "columns", "event_ids", "first_event")
        }
        for alert in alerts
    ]
    return sorted(told, key=lambda alert: alert["alert_id"])


def shares(alert: Alert, others: Sequence[Alert]) -> bool:
    """Whether one of the others has the same key and an event of this alert."""
    return any(
        alert.key == other.key and set(alert.event_ids) & set(other.event_ids) for other in others
    )


def changes(result: Backtest) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {"comes": [], "goes": [], "stays": []}
    for row in result.rows:
        told[row.change] += [firing.alert_id for firing in row.firings]
    return {change: sorted(ids) for change, ids in told.items()}


@settings(max_examples=30)
@given(
    st.data(),
    trails(),
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(["tumbling", "sliding"]),
    st.booleans(),
)
def test_backtest_equals_two_scans(
    data: st.DataObject, records: Trail, kind: str, mode: Any, with_claims: bool
) -> None:
    if with_claims:
        records = Trail(
            [
                *records,
                *(
                    {**record, **data.draw(st.sampled_from(CLAIMS))}
                    for record in data.draw(st.lists(st.sampled_from(records), max_size=4))
                ),
            ]
        )
    with tempfile.TemporaryDirectory() as folder, closing(Store.open(None)) as store:
        logs = write(Path(folder, "logs"), "a.json", records).parent
        rules = load([write_kind(Path(folder, "now"), kind)], builtin=False, mode=mode)
        bench = bench_on(rules, logs)
        values = {
            each.name: moved(each, each.value, data.draw(st.integers(-4, 4), label=each.name))
            for each in bench.maker.parameters.found
        }
        assert len(values) >= 1
        text = bench.maker.text_with(values)
        other = load([write_kind(Path(folder, "then"), kind, text)], builtin=False, mode=mode)
        now = scan(logs, store=store, by=rules).alerts
        then = scan(logs, by=other).alerts
        for each in (bench, bench_on(rules, logs, store)):  # by reading, and from the state
            held, variant = each.held(values), each.maker.rule_with(values)
            firings = held.firings(variant)
            assert facts([Alert(held.finding(variant, firing)) for firing in firings]) == facts(
                then
            )
            principals = [held.principal(variant, firing) for firing in firings]
            assert sorted(principals) == sorted(alert.principal for alert in then)
            result = each.backtest(values)
            assert result.now.alerts == len(now)
            assert each.counts(values) == (len(then), len({alert.principal for alert in then}))
            if kind != "sequence":  # of which an event may lie in the span and be none of it
                assert changes(result) == {
                    "comes": sorted(a.alert_id for a in then if not shares(a, now)),
                    "goes": sorted(a.alert_id for a in now if not shares(a, then)),
                    "stays": sorted(a.alert_id for a in now if shares(a, then)),
                }


def test_threshold_on_a_column_of_several_values_is_kept(tmp_path: Path) -> None:
    logs = write(tmp_path / "logs", "a.json", sweep(5)).parent
    rules = load([write_kind(tmp_path, "several values")], builtin=False)
    bench = bench_on(rules, logs)
    (parameter,) = (each for each in bench.maker.parameters.found if each.value == 8)
    assert bench.backtest({parameter.name: 4}).now.alerts == 0
    assert bench.counts({parameter.name: 4}) == (1, 1)
    assert bench.counts({parameter.name: 5}) == (0, 0)


@pytest.fixture
def reference(tmp_path: Path) -> Bench:
    """Nine regions of Ana in one window, ten of Bob, and eleven of Eve in two."""
    bob, eve = ANA.replace("ana", "bob"), ANA.replace("ana", "eve")
    records = [
        *sweep(9),
        *sweep(10, arn=bob),
        *(call(120 + 4 * at, record["awsRegion"], arn=eve) for at, record in enumerate(sweep(11))),
    ]
    logs = write(tmp_path / "logs", "a.json", records).parent
    rules = load([REFERENCE_FILE], builtin=False)
    store = Store.open(tmp_path / "hunt.db")
    scan(logs, store=store, by=rules)
    return bench_on(rules, tmp_path / "nowhere", store, REFERENCE)


def told(result: Backtest) -> list[tuple[str, str, int, str]]:
    return [
        (row.change, row.principal.rpartition("/")[2], row.alerts, row.extent)
        for row in result.rows
    ]


def test_lower_threshold_and_wider_window_bring_more(reference: Bench) -> None:
    values = parse_settings("regions=9, events=9", reference.maker)
    assert told(reference.backtest(values)) == [
        ("comes", "ana", 1, "9 regions, 9 events in under 1 s"),
        ("stays", "bob", 1, "10 regions, 10 events in under 1 s"),
    ]
    values = parse_settings("regions=11,window=60s", reference.maker)
    assert told(reference.backtest(values)) == [
        ("comes", "eve", 1, "11 regions, 11 events in 40 s"),
        ("goes", "bob", 1, "10 regions, 10 events in under 1 s"),
    ]


def test_verdicts_tell_precision_and_what_is_known_benign(reference: Bench) -> None:
    store = reference.store
    assert store is not None
    (alert,) = store.alerts.all()
    store.triage.add_notes([alert], NoteBody("backup", "benign"))
    store.triage.set_status([alert.alert_id], "closed")
    bench = bench_on(reference._rules, Path("nowhere"), store, REFERENCE)
    result = bench.backtest({"regions": 9, "events": 9})
    assert [(row.change, row.known_benign) for row in result.rows] == [
        ("comes", False),
        ("stays", True),
    ]
    assert result.now.precision == result.then.precision == Precision(0, 1)
    gone = bench.backtest({"regions": 11})
    assert gone.then.precision.share is None


def test_suppression_tells_what_of_a_variant_it_would_hide(reference: Bench) -> None:
    from detector.triage.suppression import Suppression

    store = reference.store
    assert store is not None
    now = store.database.clock()
    store.triage.suppress(
        [
            Suppression(
                "principal", ANA, None, now, now + 9_999, ticket="T-1", owner="", justification=""
            )
        ]
    )
    bench = bench_on(reference._rules, Path("nowhere"), store, REFERENCE)
    rows = bench.backtest({"regions": 9, "events": 9}).rows
    assert [(row.principal == ANA, row.suppressed) for row in rows] == [
        (True, True),
        (False, False),
    ]


def test_state_that_another_rule_searched_is_not_taken(reference: Bench, tmp_path: Path) -> None:
    """The logs are read where the state's hits are of a rule that has changed since."""
    changed = tmp_path / "changed.toml"
    text = REFERENCE_FILE.read_text(encoding="utf-8").replace('DescribeInstances"', 'ListUsers"')
    changed.write_text(text, encoding="utf-8")
    rules = load([changed], builtin=False)
    bench = bench_on(rules, tmp_path / "logs", reference.store, REFERENCE)
    assert not bench.is_held({})
    assert bench.counts({}) == (0, 0)


def test_bench_refuses_a_rule_without_alerts(tmp_path: Path) -> None:
    from detector.workbench.variant import VariantError

    flag = next(rule for rule in load() if not rule.alerts)
    with pytest.raises(VariantError, match="no alerts of its own"):
        Bench(load(), msgspec.structs.replace(flag), Judgements(), None, None)
