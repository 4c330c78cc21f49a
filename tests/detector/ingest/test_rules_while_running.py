"""Rules that come, go and change while the pipeline runs.

The result is as if they had always been so.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detector.ingest.pipeline import Pipeline, Update
from detector.rules.ruleset import RuleSet, load
from detector.store import RuleCount, Store
from tests.detector.ingest.test_rule_changes import RULE
from tests.detector.trail import (
    REFERENCE,
    REFERENCE_FILE,
    REGIONS,
    Stepping,
    call,
    outcome,
    scan,
    sweep,
    write,
)
from tui.commandline.main import main

MINE = {"name": "mine", "action": "DescribeVolumes", "width": 30, "least": 3}


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    write(folder, "a.json", sweep(10))
    write(
        folder,
        "b.json",
        [
            call(200 + seconds, REGIONS[seconds], eventName="DescribeVolumes")
            for seconds in range(4)
        ],
    )
    return folder


@pytest.fixture
def rules(tmp_path: Path) -> RuleSet:
    (tmp_path / "rules").mkdir()
    return load([REFERENCE_FILE, tmp_path / "rules"], builtin=False)


def put(tmp_path: Path, **changed: Any) -> Path:
    return write(tmp_path / "rules", "mine.toml", RULE.format(**{**MINE, **changed}).encode())


def run(
    store: Store, rules: RuleSet, logs: Path, *steps: Callable[[Pipeline], Any]
) -> list[Update]:
    """Run live: a sweep, and one more after each step."""
    updates: list[Update] = []
    pipeline = Pipeline(
        store, rules, Stepping([logs], [lambda step=step: step(pipeline) for step in steps]), 1
    )
    pipeline.run(threading.Event(), updates.append)
    return updates


def shown(updates: list[Update]) -> set[str]:
    """Return the alerts that a screen shows after these updates."""
    current: set[str] = set()
    for update in updates:
        current = current - set(update.withdrawn) | {alert.alert_id for alert in update.alerts}
    return current


def test_added_rule_searches_files_read_before(
    store: Store, logs: Path, rules: RuleSet, tmp_path: Path
) -> None:
    put(tmp_path)
    assert rules.changed
    later = rules.reloaded()
    assert not later.changed
    updates = run(store, rules, logs, lambda pipeline: pipeline.use(later))
    ended = outcome(store, updates)
    fresh = scan(logs, by=later)
    assert (ended.facts, ended.accounting) == (fresh.facts, fresh.accounting)
    assert len(ended.alerts) == 2
    assert shown(updates) == {alert.alert_id for alert in ended.alerts}


def test_changed_rule_withdraws_its_alerts(
    store: Store, logs: Path, rules: RuleSet, tmp_path: Path
) -> None:
    put(tmp_path)
    before = rules.reloaded()

    def change(pipeline: Pipeline) -> None:
        put(tmp_path, least=5)
        assert before.changed
        pipeline.use(before.reloaded())

    updates = run(store, before, logs, change)
    assert [alert.rule.id for alert in store.alerts.all()] == [REFERENCE]
    assert shown(updates) == {alert.alert_id for alert in store.alerts.all()}


def test_rule_that_is_taken_away_keeps_alerts_and_hits(
    store: Store, logs: Path, rules: RuleSet, tmp_path: Path
) -> None:
    path = put(tmp_path)
    both = rules.reloaded()
    updates = run(store, both, logs, lambda pipeline: (path.unlink(), pipeline.use(rules)))
    kept, fresh = outcome(store, updates), scan(logs, by=both)
    assert (kept.facts, kept.accounting) == (fresh.facts, fresh.accounting)
    assert len(kept.alerts) == 2 and kept.accounting.records_counted == 14


def test_disabled_rule_keeps_alerts_and_finds_none(
    store: Store, logs: Path, rules: RuleSet
) -> None:
    def off(pipeline: Pipeline) -> None:
        store.rules.switch([REFERENCE], on=False)
        pipeline.use(rules)

    def more(_: Pipeline) -> None:
        write(logs, "c.json", sweep(10, 300))

    run(store, rules, logs, off, more)
    assert len(store.alerts.all()) == 1
    assert store.files.accounting().records_seen == 24


def test_enabled_rule_finds_records_since_disabled(
    store: Store, logs: Path, rules: RuleSet
) -> None:
    store.rules.switch([REFERENCE], on=False)

    def on(pipeline: Pipeline) -> None:
        assert store.alerts.all() == []
        store.rules.switch([REFERENCE], on=True)
        pipeline.use(rules)

    ended = outcome(store, run(store, rules, logs, on))
    assert len(ended.alerts) == 1
    assert (ended.facts, ended.accounting) == (
        scan(logs, by=rules).facts,
        scan(logs, by=rules).accounting,
    )


def test_disabled_rule_stays_disabled_and_is_in_history(
    tmp_path: Path, logs: Path, rules: RuleSet
) -> None:
    store = Store.open(tmp_path / "hunt.db")
    store.rules.switch(["mine", REFERENCE], on=False)
    store.rules.switch(["mine", "mine"], on=True)
    store.rules.switch([REFERENCE], on=False)
    store.close()
    store = Store.open(tmp_path / "hunt.db")
    assert store.rules.disabled() == {REFERENCE}
    assert [entry.kind for entry in store.history.entries("mine")] == ["rule off", "rule on"]
    assert [entry.kind for entry in store.history.entries(REFERENCE)] == ["rule off"]
    assert scan(logs, store=store, by=rules).alerts == []
    store.close()


def test_worker_processes_leave_out_disabled_rules(rules: RuleSet, tmp_path: Path) -> None:
    put(tmp_path)
    both = rules.reloaded()
    left = both.without({REFERENCE})
    assert [rule.rule_id for rule in pickle.loads(pickle.dumps(left))] == ["mine"]
    assert len(left.without({"mine"})) == 0
    assert {rule.rule_id for rule in both} == {"mine", REFERENCE}


def test_removed_rule_file_is_change_and_broken_one_is_named(
    rules: RuleSet, tmp_path: Path
) -> None:
    path = put(tmp_path)
    current = rules.reloaded()
    path.write_text(path.read_text().replace("count_distinct", "count_distnct"))
    assert current.changed
    broken = current.reloaded()
    assert [(problem.path, problem.line) for problem in broken.problems] == [(path, 12)]
    assert [rule.rule_id for rule in broken] == [REFERENCE]
    path.unlink()
    assert broken.changed
    assert broken.reloaded().problems == []


def test_alert_counts_are_by_rule(store: Store, logs: Path, rules: RuleSet, tmp_path: Path) -> None:
    put(tmp_path, least=9)
    scan(logs, store=store, by=rules.reloaded())
    assert store.rules.counts() == {REFERENCE: RuleCount(10, 1), "mine": RuleCount(4, 0)}


def test_volumes_are_by_source_and_add_up(store: Store, logs: Path, rules: RuleSet) -> None:
    write(logs, "AWSLogs/1/x/c.json", sweep(3, 60))
    write(logs, "AWSLogs/2/y/d.json", b'{"Records": [')
    scan(logs, store=store, by=rules)
    volumes = {volume.origin: volume for volume in store.completeness.volumes()}
    assert set(volumes) == {str(logs), str(logs / "AWSLogs")}
    below = volumes[str(logs / "AWSLogs")]
    assert (below.files, below.records, below.failed) == (2, 3, 1)
    assert (
        sum(volume.records for volume in volumes.values()) == store.files.accounting().records_seen
    )
    assert sum(volume.bytes for volume in volumes.values()) == sum(
        path.stat().st_size for path in logs.rglob("*.json")
    )


def test_rules_list_marks_disabled_rules(
    tmp_path: Path, logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_state = ["--db", str(tmp_path / "hunt.db")]
    store = Store.open(tmp_path / "hunt.db")
    store.rules.switch([REFERENCE], on=False)
    store.close()
    assert main(["scan", str(logs), *with_state, "--exit-code"]) == 0
    assert f"rules disabled in this database: {REFERENCE}: " in capsys.readouterr().err
    assert main(["status", *with_state]) == 0
    assert f"rules disabled in this database: {REFERENCE}: " in capsys.readouterr().out
