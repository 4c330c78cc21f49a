"""Explanations: of events, of principals, and how near others came."""

from __future__ import annotations

import json
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.cloudtrail.record import decode
from detector.ecs.fields import field_table
from detector.rules.ruleset import load
from detector.sources.file_span import FileSpan
from detector.store import Store
from detector.text.time import parse_time
from detector.workbench.bench import Bench
from detector.workbench.conditions import FilterConditions
from detector.workbench.explain import callers_named, near_misses, nearest_windows
from detector.workbench.report import explain_event, explain_principal, rows_of_files
from tests.detector.strategies import Trail, trails
from tests.detector.trail import ANA, REFERENCE, REFERENCE_FILE, Raw, call, scan, sweep, write
from tests.detector.workbench.rules_of_all_kinds import KINDS, RULE_ID, write_kind
from tests.detector.workbench.test_backtest import bench_on

BOB, EVE = ANA.replace("ana", "bob"), ANA.replace("ana", "eve")
FIELDS = field_table()
NO_LEAST = ("few", "several values")
"""Kinds of rules over windows that have no least number."""


def bench_of(records: list[Raw], folder: Path, mode: str = "tumbling") -> Bench:
    logs = write(folder / "logs", "a.json", records).parent
    rules = load([REFERENCE_FILE], builtin=False, mode=mode)  # type: ignore[arg-type]
    return bench_on(rules, logs, rule=REFERENCE)


def reader(folder: Path) -> object:
    return rows_of_files(
        lambda _: [FileSpan(str(path), path.stat().st_size) for path in folder.rglob("*.json")],
        pytest.fail,
    )


def nearest(bench: Bench, name: str) -> list[str]:
    windows = nearest_windows(bench.held({}), bench.rule, callers_named(name))
    return [f"{'fires' if each.fires else 'nearest'}: {each.sentence}" for each in windows]


def test_what_is_missing_and_when_it_came(tmp_path: Path) -> None:
    later = [*sweep(9, 3), call(8, event_id="again"), call(42, "us-west-2", event_id="tenth")]
    assert nearest(bench_of(later, tmp_path / "b"), ANA) == ["fires: 10 regions, 10 events in 5 s"]
    short = [*sweep(9, 3), call(8, "eu-west-1", event_id="x"), call(42, "us-west-2", event_id="y")]
    assert nearest(bench_of(short, tmp_path / "c"), ANA) == [
        "nearest: 9 of 10 regions in 5 s; the 10th region came 34 s later"
    ]
    assert nearest(bench_of(sweep(12), tmp_path / "d"), ANA) == [
        "fires: 12 regions, 12 events in under 1 s"
    ]


def test_clock_that_parts_a_sweep_is_told(tmp_path: Path) -> None:
    parted = [*sweep(6, 29), *(call(31, each["awsRegion"]) for each in sweep(12)[6:])]
    (line,) = nearest(bench_of(parted, tmp_path), ANA)
    assert line.endswith(
        "within any 30 s it would fire, but the clock parts them: --window sliding"
    )
    assert nearest(bench_of(parted, tmp_path / "b", "sliding"), ANA) == [
        "fires: 12 regions, 12 events in 2 s"
    ]


def test_near_misses_are_listed_the_nearest_first(tmp_path: Path) -> None:
    records = [*sweep(7), *sweep(9, arn=BOB), *sweep(10, arn=EVE), *sweep(2, arn="few")]
    bench = bench_of(records, tmp_path)
    misses = near_misses(bench.held({}), bench.rule)
    assert [(each.principal, round(each.share, 1)) for each in misses] == [(BOB, 0.9), (ANA, 0.7)]


def test_share_is_that_of_the_least_number_of_any_column(tmp_path: Path) -> None:
    slow = REFERENCE_FILE.with_name("discovery_ec2_slow_sweep.toml")
    (rule,) = load([slow], builtin=False)
    late = call(28, "us-west-2", arn=BOB, event_id="late")
    logs = write(tmp_path / "logs", "a.json", [*sweep(12), *sweep(9, arn=BOB), late]).parent
    bench = bench_on(load([slow], builtin=False), logs, rule=rule.rule_id)
    windows = nearest_windows(bench.held({}), bench.rule)
    shares = {each.principal: round(each.share, 2) for each in windows}
    assert shares == {BOB: 0.9, ANA: 0.0}, "28 and 0 of more than 30 seconds"
    assert [each.principal for each in near_misses(bench.held({}), bench.rule)] == [BOB]


def test_principal_without_a_hit_is_told_which_condition_keeps_it_out(tmp_path: Path) -> None:
    records = [call(at, eventName="ListUsers", event_id=str(at), arn=BOB) for at in range(3)]
    bench = bench_of([*sweep(10), *records], tmp_path)
    told = explain_principal(bench, BOB, {}, FIELDS, reader(tmp_path))  # type: ignore[arg-type]
    assert told.lines[1:] == (
        f"{BOB}: no alert",
        "  none of its 3 events passes the filter; events that meet each condition:",
        "         3  event.dataset = aws.cloudtrail",
        "         3  event.provider = ec2.amazonaws.com",
        "         0  event.action = DescribeInstances",
    )
    nobody = explain_principal(bench, EVE, {}, FIELDS, reader(tmp_path))  # type: ignore[arg-type]
    assert nobody.lines[2:] == ("  the logs have no event by this principal",)


def test_event_is_explained_with_the_window_that_it_is_in(tmp_path: Path) -> None:
    bench = bench_of([*sweep(10), *sweep(8, 300)], tmp_path)
    event_id = f"{ANA}-300-ap-northeast-1"
    read = reader(tmp_path)
    told = explain_event(bench, event_id, {}, FIELDS, read)  # type: ignore[arg-type]
    assert told.lines[2:] == (
        "  yes  event.dataset = aws.cloudtrail: aws.cloudtrail",
        "  yes  event.provider = ec2.amazonaws.com: ec2.amazonaws.com",
        "  yes  event.action = DescribeInstances: DescribeInstances",
        "  nearest: 8 of 10 regions, 8 of 10 events in under 1 s",
        "    8 events in under 1 s, window 2026-03-01T10:05:00Z – 2026-03-01T10:05:30Z",
        "     no  ≥10 regions: 8",
        "     no  ≥10 events: 8",
    )
    looser = explain_event(bench, event_id, {"regions": 8, "events": 8}, FIELDS, read)  # type: ignore[arg-type]
    assert looser.content["windows"][0]["fires"] is True


@settings(max_examples=30)
@given(trails(), st.sampled_from(sorted(KINDS)), st.sampled_from(["tumbling", "sliding"]))
def test_conditions_agree_with_the_rule(records: Trail, kind: str, mode: str) -> None:
    """All conditions hold just where the rule takes the event; a window fires just where there is
    an alert, and else one of its conditions does not hold."""
    with tempfile.TemporaryDirectory() as folder, closing(Store.open(None)) as store:
        rules = load([write_kind(Path(folder), kind)], builtin=False, mode=mode)  # type: ignore[arg-type]
        logs = write(Path(folder, "logs"), "a.json", records).parent
        alerts = scan(logs, store=store, by=rules).alerts
        rule = rules.get(RULE_ID)
        assert rule is not None
        conditions = FilterConditions(rule, FIELDS)
        for raw in records[:12]:
            record = decode(json.dumps(raw).encode())
            time = parse_time(raw.get("eventTime")) or 0
            steps = conditions.answers(record, time)
            holds = any(all(answer.holds for answer in answers) for _, answers in steps)
            keyed = kind not in ("threshold", "new terms")  # which drop events without their keys
            assert holds or not rule.query.rows(record, time)
            assert not keyed or holds == bool(rule.query.rows(record, time))
        windows = nearest_windows(bench_on(rules, logs, store).held({}), rule)
        if rule.query.shape in ("window", "lookback") and kind not in NO_LEAST:
            firing = {
                str(rule.query.format_key(each.series.key or ())) for each in windows if each.fires
            }
            assert firing == {str(alert.key) for alert in alerts}
            for each in windows:
                truths = [answer.holds for answer in each.answers]
                assert all(truths) or kind == "merged" or not each.fires
                assert each.fires or False in truths
