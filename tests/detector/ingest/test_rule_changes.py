"""One state under changing rules.

The files are searched again, and nothing is counted twice or kept that no longer holds.
"""

from __future__ import annotations

import errno
import gzip
from pathlib import Path

import pytest

from detector.formats import chunks
from detector.ingest.pipeline import Pipeline
from detector.rules.ruleset import RuleSet, load
from detector.sources.directory import Directory
from detector.store import Store
from detector.triage.note import NoteBody
from tests.detector.trail import REGIONS, START, call, document, lines, rules, scan, sweep, write

RULE = '''
[rule]
rule_id = "{name}"
name = "{name}"
type = "esql"
language = "esql"
severity = "medium"
query = """
from logs-aws.cloudtrail-*
| where event.provider == "ec2.amazonaws.com" and event.action == "{action}"
| eval Esql.time_window_date_trunc = date_trunc({width} seconds, @timestamp)
| stats Esql.regions = count_distinct(cloud.region), Esql.values = values(cloud.region)
  by Esql.time_window_date_trunc, aws.cloudtrail.user_identity.arn
| where Esql.regions >= {least}
"""
'''


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Write two sweeps of ten regions and four other calls.

    Each sweep is in a file of another kind, and one call is there twice.
    """
    folder = tmp_path / "logs"
    write(folder, "a.json", sweep(10))
    write(folder, "b.jsonl", lines([*sweep(10, 60), *sweep(1)]))
    write(
        folder,
        "c.json.gz",
        gzip.compress(
            document(
                call(200 + seconds, REGIONS[seconds], eventName="DescribeVolumes")
                for seconds in range(4)
            )
        ),
    )
    write(
        folder,
        "d.jsonl",
        lines([{"eventTime": "x", "eventName": "y", "eventSource": "z"}])
        + b"no json\n"
        + lines(sweep(1, 99)),
    )
    return folder


def ruleset(
    folder: Path,
    name: str = "mine",
    action: str = "DescribeVolumes",
    width: int = 30,
    least: int = 3,
    mode: str = "tumbling",
    reference: bool = True,
) -> RuleSet:
    path = write(
        folder,
        f"{name}.toml",
        RULE.format(name=name, action=action, width=width, least=least).encode(),
    )
    if reference:
        return load([*(rule.path for rule in rules()), path], builtin=False, mode=mode)  # type: ignore[arg-type]
    return load([path], builtin=False, mode=mode)  # type: ignore[arg-type]


def test_new_rule_searches_files_read_before(store: Store, logs: Path, tmp_path: Path) -> None:
    first = scan(logs, store=store)
    by = ruleset(tmp_path)
    run = scan(logs, store=store, by=by)
    fresh = scan(logs, by=by)
    assert (run.facts, run.accounting) == (fresh.facts, fresh.accounting)
    assert run.accounting.records_counted == first.accounting.records_counted + 4
    assert [alert.rule.id for alert in run.alerts].count("mine") == 1
    assert scan(logs, store=store, by=by).updates[-1].alerts == ()


def test_hits_of_a_removed_rule_count_until_the_files_are_read_again(
    store: Store, logs: Path, tmp_path: Path
) -> None:
    both = scan(logs, store=store, by=ruleset(tmp_path)).accounting
    assert scan(logs, store=store).accounting == both
    by = ruleset(tmp_path, "other", "DescribeImages")
    assert scan(logs, store=store, by=by).accounting == scan(logs, by=by).accounting
    assert scan(logs, by=by).accounting.records_counted == both.records_counted - 4


def test_new_rule_searches_files_that_were_unreadable_for_a_while(
    store: Store, logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the lines that were read before."""

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    scan(logs, store=store)
    by = ruleset(tmp_path, action="DescribeInstances", least=10)
    with monkeypatch.context() as patch:
        patch.setattr("detector.ingest.reader.read_chunks", fail)
        assert scan(logs, store=store, by=by).accounting.files_quarantined == {"unreadable": 4}
    run, fresh = scan(logs, store=store, by=by), scan(logs, by=by)
    assert (run.facts, run.accounting) == (fresh.facts, fresh.accounting)


def test_reread_chunks_are_counted_once(
    store: Store, logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit, size in (("BLOCK", 1000), ("SNIFF", 3000), ("LINES_CHUNK", 1500)):
        monkeypatch.setattr(chunks, limit, size)
    first = scan(logs, store=store)
    by = ruleset(tmp_path)
    run = scan(logs, store=store, by=by)
    assert first.accounting.records_seen == 10 + 11 + 4 + 3
    assert run.accounting == scan(logs, by=by).accounting


def test_reread_keeps_duplicates_within_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit, size in (("BLOCK", 1000), ("SNIFF", 3000), ("LINES_CHUNK", 1500)):
        monkeypatch.setattr(chunks, limit, size)
    monkeypatch.setattr("detector.ingest.pipeline._COMMIT_FILES", 1)
    write(tmp_path / "logs", "a.jsonl", lines([*sweep(10), *sweep(10, 60), *sweep(10)]))
    first = scan(tmp_path / "logs", store=store)
    assert first.accounting.records_duplicate == 10
    assert scan(tmp_path / "logs", store=store, by=ruleset(tmp_path)).accounting == first.accounting


def test_changed_rule_drops_its_alerts(store: Store, logs: Path, tmp_path: Path) -> None:
    scan(logs, store=store, by=ruleset(tmp_path))
    for change in (
        {"least": 5},
        {"width": 2},
        {"width": 2, "least": 2},
        {"action": "DescribeInstances", "least": 9},
    ):
        by = ruleset(tmp_path, **change)  # type: ignore[arg-type]
        run = scan(logs, store=store, by=by)
        fresh = scan(logs, by=by)
        assert (run.facts, run.accounting) == (fresh.facts, fresh.accounting)


def test_only_search_changes_make_files_due(store: Store, logs: Path, tmp_path: Path) -> None:
    by = ruleset(tmp_path)
    scan(logs, store=store, by=by)
    (path,) = (rule.path for rule in by if rule.rule_id == "mine")
    text = path.read_text()
    path.write_text(
        text.replace('severity = "medium"', 'severity = "high"').replace("| stats", "  |  stats")
    )
    before = store.rules.generation
    scan(logs, store=store, by=load([path], builtin=False))
    assert store.rules.generation == before


def test_changed_files_are_searched_by_new_rules(store: Store, logs: Path, tmp_path: Path) -> None:
    scan(logs, store=store)
    with (logs / "b.jsonl").open("ab") as log:
        log.write(
            lines(
                call(204 + seconds, REGIONS[seconds + 4], eventName="DescribeVolumes")
                for seconds in range(4)
            )
        )
    (logs / "a.json").unlink()
    by = ruleset(tmp_path)
    run = scan(logs, store=store, by=by)
    (alert,) = (alert for alert in run.alerts if alert.rule.id == "mine")
    assert (alert.columns["Esql.regions"], run.accounting.records_seen) == (8, 32)


def test_decisions_survive_rule_change(store: Store, logs: Path, tmp_path: Path) -> None:
    scan(logs, store=store, by=ruleset(tmp_path))
    alert = next(alert for alert in store.alerts.all() if alert.rule.id == "mine")
    store.triage.set_status([alert.alert_id], "closed")
    store.triage.add_notes([alert], NoteBody("known"))
    run = scan(logs, store=store, by=ruleset(tmp_path, least=2))
    closed = next(alert for alert in run.alerts if alert.rule.id == "mine")
    assert (closed.alert_id, closed.status) == (alert.alert_id, "closed")
    assert [note.alert_id for note in store.triage.notes()] == [closed.alert_id]


def test_unloaded_rule_leaves_its_alerts(store: Store, logs: Path, tmp_path: Path) -> None:
    """Keep decisions where windows grow meanwhile.

    Also where records of theirs are contradicted.
    """
    both = ruleset(tmp_path, action="DescribeInstances", least=9)
    scan(logs, store=store, by=both)
    claims = [{**record, "eventTime": "2026-03-01T09:00:00Z"} for record in sweep(3)]
    write(logs, "e.json", [*sweep(11, 60), *claims])
    run = scan(logs, store=store)
    assert [alert.rule.id for alert in run.alerts].count("mine") == 2
    fresh = scan(logs, by=both)
    assert scan(logs, store=store, by=both).facts == fresh.facts


def test_state_serves_tumbling_and_sliding(store: Store, logs: Path) -> None:
    """Keep windows, so that a change of mode reads no file."""
    write(
        logs,
        "split.json",
        [call(145 + seconds, region) for seconds, region in enumerate(REGIONS[:10])],
    )
    seen = []
    for mode in ("tumbling", "sliding", "tumbling", "sliding"):
        run = scan(logs, store=store, mode=mode)
        assert run.facts == scan(logs, mode=mode).facts
        seen.append((len(run.alerts), run.accounting, store.rules.generation))
    assert [number for number, *_ in seen] == [2, 3, 2, 3]
    assert seen[0][1:] == seen[1][1:] == seen[2][1:] == seen[3][1:]


def test_decisions_return_with_window_mode(store: Store, logs: Path) -> None:
    write(logs, "early.json", [call(-5, "me-south-1", eventTime="2026-03-01T09:59:55Z")])
    scan(logs, store=store)
    first = store.alerts.all()[-1]
    store.triage.set_status([first.alert_id], "closed")
    sliding = scan(logs, store=store, mode="sliding").alerts[-1]
    assert sliding.window is not None
    assert (sliding.window.start, sliding.alert_id != first.alert_id) == (START - 5, True)
    closed = scan(logs, store=store).alerts[-1]
    assert (closed.alert_id, closed.status) == (first.alert_id, "closed")


def test_interrupted_rule_change_is_finished_later(
    store: Store, logs: Path, tmp_path: Path
) -> None:
    scan(logs, store=store)
    by = ruleset(tmp_path)
    Pipeline(store, by, Directory([logs]), 1)  # the rules are in use; nothing has been read by them
    run = scan(logs, store=store, by=by)
    fresh = scan(logs, by=by)
    assert (run.facts, run.accounting) == (fresh.facts, fresh.accounting)
