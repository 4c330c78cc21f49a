"""The list of principals: risk over days, rhythm, what is uncommon, and what counts rest on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detector.detection.activity.activity import (
    ALL_DAYS,
    SessionOpening,
)
from detector.detection.activity.actor import Actor
from detector.detection.alert import Alert, Risk
from detector.detection.risk import load_risk_table
from detector.investigation.principal_page import page_of
from detector.investigation.principal_risk import principal_risk
from detector.investigation.principals import list_principals, rhythm
from detector.store import Store
from tests.detector.alerts import changed_alert
from tests.detector.trail import ANA, START, call, scan, sweep, write

DAY = 86_400
TABLE = load_risk_table()


@pytest.fixture(scope="module")
def alert(tmp_path_factory: pytest.TempPathFactory) -> Alert:
    folder = tmp_path_factory.mktemp("trail")
    write(folder, "a.json", sweep(10))
    [alert] = scan(folder).alerts
    return alert


def raised(alert: Alert, ago: int, *parts: tuple[str, int], **changed: Any) -> Alert:
    """The alert, so long before ``START``, with these parts of its risk."""
    risk = Risk(0, "low", list(parts))
    return changed_alert(alert, last_event=START - ago, risk=risk, **changed)


def test_risk_counts_each_part_once_and_fades(alert: Alert) -> None:
    alerts = [
        raised(alert, 0, ("rule", 21), ("snapshot", 50)),
        raised(alert, 12 * 3600, ("rule", 21), ("snapshot", 50), ("iam-change", 40)),
    ]
    risk = principal_risk(alerts, START, DAY, TABLE)
    assert [(part.what, part.left) for part in risk.parts] == [
        ("snapshot", 50),
        (f"rule “{alert.rule.name}”", 21),
        ("iam-change", 20),
    ]
    assert (risk.score, risk.total) == (91, 91)
    assert "IAM change 20 (12 h ago, of 40)" in risk.sentence(START)


def test_alerts_that_are_each_low_may_be_high_together(alert: Alert) -> None:
    low = [raised(alert, 0, ("rule", 21)), raised(alert, 60, ("snapshot", 30))]
    assert [principal_risk([each], START, DAY, TABLE).severity for each in low] == ["low", "low"]
    assert principal_risk(low, START, DAY, TABLE).severity != "low"


@pytest.mark.parametrize(
    "changed", [{"status": "closed"}, {"suppressed_by": "s1"}, {"last_event": START - DAY}]
)
def test_resolved_suppressed_and_old_alerts_count_nothing(
    alert: Alert, changed: dict[str, Any]
) -> None:
    without = changed_alert(raised(alert, 0, ("rule", 21)), **changed)
    risk = principal_risk([without], START, DAY, TABLE)
    assert (risk.score, risk.severity, risk.parts) == (0, "", ())


def on(*numbers: int, hours: int = 1) -> dict[int, int]:
    """The bits of so many hours on each of some days."""
    return dict.fromkeys(numbers, (1 << hours) - 1)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (on(*range(100, 110), hours=24), "hourly"),
        (on(*range(100, 110)), "daily"),
        (on(100, 109), "irregular"),
        (on(100), "once"),
        (on(109), ""),
        (on(*(4 + 7 * week + day for week in range(3) for day in range(5))), "weekdays"),
    ],
)
def test_rhythm_of_days(days: dict[int, int], expected: str) -> None:
    newest = max(110, *days) * DAY - 1
    if expected == "weekdays":
        newest = (max(days) + 1) * DAY - 1
    if expected == "":
        newest = 110 * DAY - 1
    assert rhythm(days, min(days) * DAY, min(days) * DAY, newest) == expected


def test_principal_is_new_only_after_enough_history() -> None:
    days = on(20)
    assert rhythm(days, 20 * DAY, 5 * DAY, 20 * DAY + 60) == "new"
    assert rhythm(days, 20 * DAY, 19 * DAY, 20 * DAY + 60) == ""


def test_copies_count_again_and_change_nothing_else(tmp_path: Path) -> None:
    """A second trail delivers the same records: calls double, spans and values stay."""
    records = [*sweep(10), call(90, "eu-west-3", errorCode="AccessDenied")]
    write(tmp_path / "once", "a.json", records)
    write(tmp_path / "twice", "a.json", records)
    write(tmp_path / "twice", "b.json", records)
    listed = []
    for folder in ("once", "twice"):
        store = Store.open(None)
        scan(tmp_path / folder, store=store)
        listed.append(list_principals(store, TABLE))
        store.close()
    (once,), (twice,) = listed[0].rows, listed[1].rows
    assert (twice.calls, twice.denied) == (2 * once.calls, 2 * once.denied) == (22, 2)
    same = ("first_seen", "last", "regions", "networks", "programs", "api_calls", "keys", "risk")
    assert [getattr(twice, name) for name in same] == [getattr(once, name) for name in same]
    assert listed[0].notes == []
    assert "calls include duplicates: 11 hits delivered more than once" in listed[1].notes[0]


def test_state_of_files_read_before_is_said(tmp_path: Path) -> None:
    write(tmp_path / "logs", "a.json", [call()])
    store = Store.open(None)
    scan(tmp_path / "logs", store=store)
    with store.database.transaction() as connection:
        connection.execute("UPDATE activity_start SET files = 3")
    assert "3 files were read by an older version" in " ".join(list_principals(store, TABLE).notes)
    store.close()


def test_counts_are_the_same_before_and_after_they_are_added_up(tmp_path: Path) -> None:
    write(tmp_path / "logs", "a.json", sweep(10))
    store = Store.open(None)
    scan(tmp_path / "logs", store=store)
    added_up = store.activity.read(*ALL_DAYS)
    other = Store.open(None)
    other.activity.fold = lambda: None  # type: ignore[method-assign]
    scan(tmp_path / "logs", store=other)
    assert other.activity.read(*ALL_DAYS) == added_up
    assert dict(other.activity.each_principal(*ALL_DAYS)) == dict(
        store.activity.each_principal(*ALL_DAYS)
    )
    assert other.activity.principals() == store.activity.principals()
    assert other.activity.first_seen() == store.activity.first_seen() == {("user", ANA): START}
    store.close()
    other.close()


def test_tree_of_sessions_ends_where_they_open_each_other() -> None:
    one, two = Actor("role", "arn:1", "a"), Actor("role", "arn:2", "b")
    openings = {SessionOpening(one, two): (5, 9), SessionOpening(two, one): (6, 6)}
    page = page_of(Actor("role", "arn:1"), {}, openings)
    (root,) = page.opens
    (child,) = root.children
    assert (root.actor, child.actor, child.first, child.last) == (one, two, 5, 9)
    assert (child.children, child.is_cut) == ((), True)
    assert page.opened_by[0].children[0].actor == two
