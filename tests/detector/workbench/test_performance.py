"""How well rules work, by what came of their alerts."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from detector.store import Store
from detector.triage.note import NoteBody
from detector.workbench.backtest import Precision
from detector.workbench.performance import rule_performance
from tests.detector.trail import ACCOUNT, ANA, REFERENCE, START, scan, sweep, write

ROLE = f"arn:aws:sts::{ACCOUNT}:assumed-role/audit"


def test_verdicts_times_and_the_role_that_makes_most(tmp_path: Path) -> None:
    records = [record for at in range(5) for record in sweep(10, 60 * at, arn=f"{ROLE}/{at % 2}")]
    logs = write(tmp_path / "logs", "a.json", [*records, *sweep(10, 600)]).parent
    with closing(Store.open(None, lambda: START + 1000.0)) as store:
        scan(logs, store=store)
        alerts = {alert.first_event - START: alert for alert in store.alerts.all()}
        store.triage.add_notes([alerts[0], alerts[60]], NoteBody("", "benign"))
        store.triage.add_notes([alerts[600]], NoteBody("look at this", "undecided"))
        store.triage.add_notes([alerts[600]], NoteBody("a thief", "escalated"))
        found = rule_performance(store.alerts.all(), store.triage.notes())[REFERENCE]
    assert (found.alerts, found.principals, found.suppressed) == (6, 3, 0)
    assert found.verdicts == {"benign": 2, "escalated": 1}
    assert found.precision == Precision(1, 2)
    assert found.seconds_to_verdict == 940  # of 1000, 940 and 400
    assert found.hint == "role/audit makes 83% of them"


def test_few_alerts_give_no_hint(tmp_path: Path) -> None:
    logs = write(tmp_path / "logs", "a.json", sweep(10, arn=ANA)).parent
    with closing(Store.open(None)) as store:
        scan(logs, store=store)
        found = rule_performance(store.alerts.all(), ())[REFERENCE]
    assert (found.hint, found.seconds_to_verdict, found.precision.share) == ("", None, None)
