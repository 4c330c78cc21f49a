"""A log that rotates or grows between two reads.

By name it is another file then, by content it is longer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import detector.rules
from detector.ingest.small_files import read_files
from detector.rules.ruleset import RuleSet, load
from detector.store import Store
from tests.detector.trail import (
    ANA,
    REFERENCE_FILE,
    Raw,
    Run,
    call,
    lines,
    scan,
    sweep,
    watch,
    write,
)

FLAGS = Path(detector.rules.__file__).with_name("builtin") / "flags"


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return load([REFERENCE_FILE, FLAGS], builtin=False)


def telling(seconds: int, **who: Any) -> list[Raw]:
    """Return a call that a flag is raised for."""
    return [
        call(
            seconds,
            eventName="CreateAccessKey",
            eventSource="iam.amazonaws.com",
            event_id=f"key-{seconds}",
            readOnly=False,
            **who,
        )
    ]


def append(path: Path, records: list[Raw]) -> None:
    with path.open("ab") as file:
        file.write(lines(records))


def rotate(log: Path, records: list[Raw]) -> None:
    log.rename(log.with_suffix(".1"))
    append(log, records)


def once(do: Callable[[], None], then: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``then`` so that ``do`` runs before its first call."""
    todo = [do]

    def called(*given: Any, **named: Any) -> Any:
        if todo:
            todo.pop()()
        return then(*given, **named)

    return called


def as_if_undisturbed(run: Run, logs: Path, rules: RuleSet) -> None:
    undisturbed = scan(logs, by=rules)
    assert run.facts == undisturbed.facts
    assert (run.accounting.records_seen, run.accounting.records_duplicate) == (
        undisturbed.accounting.records_seen,
        undisturbed.accounting.records_duplicate,
    )


def test_rotation_before_open_loses_nothing(
    store: Store, tmp_path: Path, rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lose and double nothing when a log rotates before it is opened."""
    logs, log = tmp_path / "logs", tmp_path / "logs" / "events.jsonl"
    write(logs, log.name, lines(sweep(10)))
    rotated = once(lambda: rotate(log, [*sweep(12, 60), *telling(90)]), read_files)
    run = watch(
        store,
        logs,
        lambda: (
            append(log, sweep(11, 120)),
            monkeypatch.setattr("detector.ingest.pipeline.read_files", rotated),
        ),
        lambda: None,
        by=rules,
    )
    as_if_undisturbed(run, logs, rules)


def test_rotation_before_signal_search_loses_nothing(
    store: Store, tmp_path: Path, rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Find the rotated log by its new name with the next sweep."""
    logs, log = tmp_path / "logs", tmp_path / "logs" / "events.jsonl"
    write(logs, log.name, lines([*sweep(10), *telling(60)]))
    monkeypatch.setattr(
        store.chunks, "between", once(lambda: rotate(log, telling(90)), store.chunks.between)
    )
    run = watch(store, logs, lambda: None, lambda: None, by=rules)
    (alert,) = run.facts
    assert {flag["flag"]: flag["count"] for flag in alert["flags"]}["access-key"] == 2
    as_if_undisturbed(run, logs, rules)


def test_rotation_before_signal_search_counts_the_new_log_once(
    store: Store, tmp_path: Path, rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search finds hits at the old path that are the new log's, and are not counted yet."""
    logs, log = tmp_path / "logs", tmp_path / "logs" / "events.jsonl"
    write(logs, log.name, lines([*sweep(10), *sweep(10, 60)]))
    monkeypatch.setattr(
        store.chunks,
        "between",
        once(lambda: rotate(log, [*sweep(10, 120), *sweep(10, 180)]), store.chunks.between),
    )
    run = watch(store, logs, lambda: None, lambda: None, by=rules)
    assert run.accounting.records_duplicate == 0
    as_if_undisturbed(run, logs, rules)


def test_missing_log_is_searched_once_more_only(
    store: Store, tmp_path: Path, rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs, searched = tmp_path / "logs", []
    gone = write(logs, "a.jsonl", lines([*sweep(10), *telling(60)]))
    pieces = store.chunks.between
    monkeypatch.setattr(
        store.chunks,
        "between",
        lambda *given: (searched.append(given), gone.unlink(missing_ok=True), pieces(*given))[-1],
    )
    run = watch(store, logs, *[lambda: None] * 4, by=rules)
    assert len(run.alerts) == 1
    assert len(searched) == 2, "once more after the next sweep, and no more"


def test_signals_in_appended_lines_are_found(store: Store, tmp_path: Path, rules: RuleSet) -> None:
    """Search each chunk of a grown log for its own signals.

    The file is one chunk by now, and was several when it was read.
    """
    logs, log = tmp_path / "logs", tmp_path / "logs" / "events.jsonl"
    bo = {"type": "IAMUser", "arn": ANA.replace("ana", "bo"), "accessKeyId": "AKIABOEXAMPLE"}
    swept = [
        {**record, "eventID": f"bo-{record['awsRegion']}"}
        for record in sweep(10, 30, userIdentity=bo)
    ]
    write(logs, log.name, lines([*telling(40, userIdentity=bo), *telling(50, userIdentity=bo)]))
    run = watch(
        store,
        logs,
        lambda: append(log, telling(60)),
        lambda: write(logs, "sweep.json", [*sweep(10), *swept]),
        lambda: None,
        by=rules,
    )
    assert [
        flag["count"]
        for alert in run.facts
        for flag in alert["flags"]
        if flag["flag"] == "access-key"
    ] == [1, 2]
    as_if_undisturbed(run, logs, rules)
